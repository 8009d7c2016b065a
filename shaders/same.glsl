// same.glsl: values that all 32 invocations of a LANES item share. Include after reduce.glsl.
//
// Where the compiler knows of it, a load from such an address is one load for the whole subgroup: on drivers that
// run on a CPU the others cost one load an invocation.
#ifndef SAME_GLSL
#define SAME_GLSL
#ifdef WN_SUBGROUP
#extension GL_KHR_shader_subgroup_ballot : require
#endif

// x, which is the same in all lanes that are still running.
uint same(uint x)
{
#ifdef WN_SUBGROUP
    if (BROADCASTS != 0u && SUBGROUP_SIZE <= 32u) x = subgroupBroadcastFirst(x);    // else two items share a subgroup
#endif
    return x;
}

// x, which is the same in the whole workgroup.
uint same_in_group(uint x)
{
#ifdef WN_SUBGROUP
    if (BROADCASTS != 0u) x = subgroupBroadcastFirst(x);
#endif
    return x;
}
#endif
