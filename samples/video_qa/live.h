/* A live feed and questions about its last frames. */
#ifndef VIDEO_QA_LIVE_H
#define VIDEO_QA_LIVE_H

#include "session.h"

/* Reads raw frames from standard input to the end, and answers meanwhile. False after a line where
 * the feed or a question failed. */
bool live_run(session *s);

#endif /* VIDEO_QA_LIVE_H */
