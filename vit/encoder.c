/* encoder.c: the table of extension "winnow.encoder/1", and what both kinds of encoder share. */
#include "encoder.h"

void wn_encoder_init(winnow_encoder *e, winnow_device *device)
{
    e->host = device->host;
    e->device = device;
    e->build.host = &e->host;
    e->build.loop_limit = device->loop_limit;
    e->build.group_size = device->group_size;
    e->build.may_grow = true;
}

void wn_encoder_free(winnow_encoder *e)
{
    if (!e)
        return;
    const wn_host host = e->host;
    if (e->exec)
        e->device->backend->exec_destroy(e->exec);
    if (e->destroy)
        e->destroy(e);
    build_finish(&e->build);
    wn_free(&host, e);
}

static winnow_status encoder_info(const winnow_encoder *e, winnow_encoder_info *out)
{
    return e ? e->info(e, out) : WINNOW_E_ARGUMENT;
}

static winnow_status encoder_run(winnow_encoder *e, const uint8_t *rgb, uint32_t frames,
                                 uint32_t width, uint32_t height, float *tokens)
{
    return e && rgb && tokens ? e->run(e, rgb, frames, width, height, tokens) : WINNOW_E_ARGUMENT;
}

static winnow_status encoder_encode(winnow_encoder *e, const winnow_encode *encode,
                                    winnow_result *result)
{
    return e && encode ? e->encode(e, encode, result) : WINNOW_E_ARGUMENT;
}

static const winnow_ext_encoder ext_encoder = {
    .struct_size = sizeof ext_encoder,
    .encoder_create = wn_patches_create,
    .encoder_destroy = wn_encoder_free,
    .encoder_info = encoder_info,
    .encoder_run = encoder_run,
    .model_open = wn_model_open,
    .model_close = wn_model_close,
    .model_info = wn_model_info,
    .model_prepare = wn_model_prepare,
    .views_free = wn_model_views_free,
    .encoder_open = wn_transformer_open,
    .encoder_encode = encoder_encode,
};

const void *wn_ext_encoder(void)
{
    return &ext_encoder;
}
