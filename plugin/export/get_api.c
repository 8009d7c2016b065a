/* get_api.c: the one exported symbol. */
#include "plan.h"

const winnow_api *winnow_get_api(uint32_t host_abi)
{
    return wn_get_api(host_abi);
}
