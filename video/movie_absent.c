/* Stands in for the video reader where this build has no libav. */
#include "reader.h"

frames_status video_open_movie(video_reader **reader, const video_reader *base, video_input input,
                               video_why why)
{
    (void)input;
    *reader = NULL;
    return video_fail(
        why, FRAMES_E_UNSUPPORTED,
        "%s: not a JPEG, PNG, BMP or PNM picture, and this build reads no videos "
        "(build with FFmpeg's libav* and WINNOW_VIDEO=ON, or give a folder of pictures)",
        base->name);
}

bool frames_has_video(void)
{
    return false;
}

void frames_quiet_libav(void)
{
}
