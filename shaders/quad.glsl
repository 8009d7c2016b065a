// quad.glsl: sides, places and ancestors in a quadtree of tokens (ops_args.h). Twin: the functions of plugin/cpu/cpu_ops_quad.c.
#ifndef QUAD_GLSL
#define QUAD_GLSL

// Nodes of a level along a side of n tokens.
uint quad_side(uint n, uint level) { return (n + (1u << level) - 1u) >> level; }

// The first child along an axis of `below` nodes in the level below; of the node past the last one: `below`.
uint quad_child(uint node, uint below) { return node == 0u ? 0u : 2u * node - (below & 1u); }
uint quad_children(uint node, uint below) { return node == 0u && (below & 1u) != 0u ? 1u : 2u; }

// The first token of a node; of the one past the last: n.
uint quad_first(uint node, uint n, uint level)
{
    for (; level > 0u; --level) node = quad_child(node, quad_side(n, level - 1u));
    return node;
}

// The node of a level over a token.
uint quad_over(uint token, uint n, uint level)
{
    for (uint l = 0u; l < level; ++l) token = (token + (quad_side(n, l) & 1u)) >> 1;
    return token;
}
#endif
