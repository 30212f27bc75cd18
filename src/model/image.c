/* The HDF5 part of a model file, read without the library: the one form in which Dipper writes it (FORMAT.md), every
 * offset and count checked against the bytes that are there, anything else refused. So no HDF5 code meets bytes that
 * nobody vouches for, and no child process has to meet them first.
 *
 * That form is HDF5's oldest: superblock 0; object headers 1; groups as a B-tree (TREE) of nodes (SNOD) of entries,
 * whose names lie in a heap (HEAP); data sets of one dimension, contiguous. Source: HDF5 File Format Specification 3.0,
 * II.A, III.A.1, III.B, III.C, III.D, IV.A.1. */
#include "model/model_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    SUPERBLOCK = 96,
    ENTRY = 40,      /* of a group */
    ROOT_ENTRY = 56, /* where the superblock has that of the root group */
    LEVELS_MAX = 3,  /* of a group's B-tree */
    BLOCKS_MAX = 16, /* of an object header */
    ATTRIBUTES_MAX = 4,
    PROVENANCE_MAX = 16 << 20
};

enum Message {
    NIL = 0,
    SPACE = 1,
    TYPE = 3,
    OLD_FILL = 4,
    FILL = 5,
    LAYOUT = 8,
    ATTRIBUTE = 12,
    CONTINUED = 16,
    TABLE = 17
};

typedef struct Image {
    const uint8_t *bytes;
    size_t size;
    const char *name;
    size_t given; /* bytes of arrays so far: never more than there are */
} Image;

typedef struct Piece {
    const uint8_t *at;
    size_t size;
} Piece;

static dp_status broken(const Image *image, const char *what)
{
    return dp_fail(DP_ERR_DATA, "model-03", "%s: %s; this is not how Dipper writes models, do not use the file",
                   image->name, what);
}

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* *piece = `size` bytes from `offset` on, which must be there. */
static dp_status take(const Image *image, uint64_t offset, uint64_t size, Piece *piece, const char *what)
{
    if (offset > image->size || size > image->size - offset)
        return broken(image, what);
    *piece = (Piece){image->bytes + offset, (size_t)size};
    return DP_OK;
}

/* ---- objects ---- */

/* What an object's header says; at NULL: it does not. */
typedef struct Object {
    Piece space, type, layout, table, attribute[ATTRIBUTES_MAX];
    int attributes;
} Object;

static dp_status note(const Image *image, Object *object, unsigned type, Piece piece, Piece *continued)
{
    Piece *to = NULL;
    switch (type) {
    case NIL:
    case OLD_FILL:
    case FILL: /* what unwritten values read as: there are none */
        return DP_OK;
    case SPACE:
        to = &object->space;
        break;
    case TYPE:
        to = &object->type;
        break;
    case LAYOUT:
        to = &object->layout;
        break;
    case TABLE:
        to = &object->table;
        break;
    case CONTINUED:
        to = continued;
        break;
    case ATTRIBUTE:
        if (object->attributes < ATTRIBUTES_MAX)
            to = &object->attribute[object->attributes++];
        break;
    default:
        break;
    }
    if (!to || to->at)
        return broken(image, "an object says more of itself than it should");
    *to = piece;
    return DP_OK;
}

/* The messages of one block; *left of the object's are still to come. */
static dp_status read_block(const Image *image, Object *object, Piece block, uint64_t *left, Piece *continued)
{
    while (block.size >= 8 && *left > 0) {
        unsigned type = (unsigned)number(block.at, 2), size = (unsigned)number(block.at + 2, 2), flags = block.at[4];
        if (size > block.size - 8 || (flags & 2) != 0)
            return broken(image, "an object's header is cut or shared");
        DP_TRY(note(image, object, type, (Piece){block.at + 8, size}, continued));
        block.at += 8 + size;
        block.size -= 8 + size;
        --*left;
    }
    return DP_OK;
}

static dp_status read_object(const Image *image, uint64_t address, Object *object)
{
    Piece block = {NULL, 0}, continued;
    *object = (Object){.attributes = 0};
    DP_TRY(take(image, address, 16, &block, "a link leads out of the file"));
    uint64_t left = number(block.at + 2, 2), size = number(block.at + 8, 4);
    if (block.at[0] != 1)
        return broken(image, "an object's header has another version");
    DP_TRY(take(image, address + 16, size, &block, "an object's header leads out of the file"));
    for (int blocks = 0; blocks < BLOCKS_MAX; blocks++) {
        continued = (Piece){NULL, 0};
        DP_TRY(read_block(image, object, block, &left, &continued));
        if (left == 0)
            return DP_OK;
        if (continued.size < 16)
            return broken(image, "an object's header ends too soon");
        DP_TRY(take(image, number(continued.at, 8), number(continued.at + 8, 8), &block,
                    "an object's header leads out of the file"));
    }
    return broken(image, "an object's header has too many parts");
}

/* ---- groups ---- */

typedef struct Link {
    char name[MODEL_ARRAY_NAME];
    uint64_t object;
} Link;

typedef struct Group {
    Link link[MODEL_ARRAYS_MAX];
    int n;
} Group;

static dp_status add_link(const Image *image, Group *group, const uint8_t *entry, Piece heap)
{
    uint64_t at = number(entry, 8);
    if (group->n == MODEL_ARRAYS_MAX)
        return broken(image, "a group holds too many links");
    if (number(entry + 16, 4) > 1)
        return broken(image, "a link is soft or of another kind");
    const uint8_t *end = at < heap.size ? memchr(heap.at + at, '\0', heap.size - at) : NULL;
    if (!end || end == heap.at + at || end - (heap.at + at) >= MODEL_ARRAY_NAME)
        return broken(image, "a link has no name or an absurd one");
    Link *link = &group->link[group->n++];
    snprintf(link->name, sizeof link->name, "%s", (const char *)heap.at + at);
    link->object = number(entry + 8, 8);
    return DP_OK;
}

static dp_status read_entries(const Image *image, Group *group, uint64_t address, Piece heap)
{
    Piece node = {NULL, 0};
    DP_TRY(take(image, address, 8, &node, "a group leads out of the file"));
    uint64_t n = number(node.at + 6, 2);
    if (memcmp(node.at, "SNOD\1", 5) != 0)
        return broken(image, "a group's node is none");
    DP_TRY(take(image, address + 8, n * ENTRY, &node, "a group's node is cut"));
    for (uint64_t i = 0; i < n; i++)
        DP_TRY(add_link(image, group, node.at + i * ENTRY, heap));
    return DP_OK;
}

/* The nodes below a node of the tree: a key, a child, a key, a child ... a key. */
static dp_status read_tree(const Image *image, Group *group, uint64_t address, int level, Piece heap)
{
    Piece node = {NULL, 0};
    DP_TRY(take(image, address, 24, &node, "a group leads out of the file"));
    uint64_t n = number(node.at + 6, 2);
    if (memcmp(node.at, "TREE\0", 5) != 0 || node.at[5] > LEVELS_MAX || (level >= 0 && node.at[5] != level) ||
        n > MODEL_ARRAYS_MAX)
        return broken(image, "a group's tree is none");
    level = node.at[5];
    DP_TRY(take(image, address + 24, n * 16 + 8, &node, "a group's tree is cut"));
    for (uint64_t i = 0; i < n; i++) {
        int before = group->n;
        uint64_t child = number(node.at + i * 16 + 8, 8);
        if (level > 0)
            DP_TRY(read_tree(image, group, child, level - 1, heap));
        else
            DP_TRY(read_entries(image, group, child, heap));
        if (group->n == before) /* so what is visited is bounded by the links there may be */
            return broken(image, "a group has an empty node");
    }
    return DP_OK;
}

static dp_status read_group(const Image *image, const Object *object, Group *group)
{
    Piece heap = {NULL, 0};
    group->n = 0;
    if (object->table.size < 16)
        return broken(image, "a link does not lead to a group");
    DP_TRY(take(image, number(object->table.at + 8, 8), 32, &heap, "a group leads out of the file"));
    if (memcmp(heap.at, "HEAP\0", 5) != 0)
        return broken(image, "a group's names are none");
    DP_TRY(take(image, number(heap.at + 24, 8), number(heap.at + 8, 8), &heap, "a group's names are cut"));
    return read_tree(image, group, number(object->table.at, 8), -1, heap);
}

static dp_status find_link(const Image *image, const Group *group, const char *name, Object *object)
{
    for (int i = 0; i < group->n; i++)
        if (strcmp(group->link[i].name, name) == 0)
            return read_object(image, group->link[i].object, object);
    return broken(image, "a group does not hold what it should");
}

/* ---- data sets and attributes ---- */

/* HDF5's descriptions of our five types: little-endian, every bit in use. */
static const struct {
    TensorType type;
    uint8_t size, bytes[20];
} known[] = {
    {TENSOR_U8, 12, {0x10, 0x00, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0}},
    {TENSOR_I32, 12, {0x10, 0x08, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0}},
    {TENSOR_I64, 12, {0x10, 0x08, 0, 0, 8, 0, 0, 0, 0, 0, 64, 0}},
    {TENSOR_F32, 20, {0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}},
    {TENSOR_F64, 20, {0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0}},
};

static bool type_of(Piece piece, TensorType *type)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (piece.size >= known[i].size && memcmp(piece.at, known[i].bytes, known[i].size) == 0) {
            *type = known[i].type;
            return true;
        }
    return false;
}

/* A plain data set: one dimension, one of our types, its bytes in this file and in one piece. *set: a view of them. */
static dp_status read_set(Image *image, const Object *object, Tensor *set)
{
    Piece bytes = {NULL, 0};
    TensorType type;
    if (object->table.at || object->space.size < 16 || object->layout.size < 18)
        return broken(image, "a link does not lead to an array");
    if (object->space.at[0] != 1 || object->space.at[1] != 1 || !type_of(object->type, &type))
        return broken(image, "an array has another type, or more dimensions than one");
    if (object->layout.at[0] != 3 || object->layout.at[1] != 1)
        return broken(image, "an array is chunked, filtered, virtual or lies in another file");
    int64_t count = (int64_t)number(object->space.at + 8, 8);
    if (tensor_view(set, type, 1, &count, NULL) != DP_OK || number(object->layout.at + 10, 8) != tensor_bytes(*set) ||
        tensor_bytes(*set) > image->size - image->given)
        return broken(image, "an array has more elements than there are bytes");
    if (count > 0)
        DP_TRY(take(image, number(object->layout.at + 2, 8), tensor_bytes(*set), &bytes,
                    "an array's bytes are not in the file"));
    set->data = (void *)bytes.at;
    image->given += tensor_bytes(*set);
    return DP_OK;
}

static size_t padded(uint64_t size)
{
    return (size_t)(size + 7) / 8 * 8;
}

/* An attribute is its name, type and space, each padded to 8 bytes, then its value; here a text of one element. */
static dp_status read_text(const Image *image, const Object *object, const char *name, char *text, size_t room)
{
    memset(text, 0, room);
    for (int i = 0; i < object->attributes; i++) {
        Piece piece = object->attribute[i];
        if (piece.size < 8 || piece.at[0] != 1)
            return broken(image, "an attribute has another version");
        uint64_t name_size = number(piece.at + 2, 2), type_size = number(piece.at + 4, 2),
                 space_size = number(piece.at + 6, 2);
        size_t type_at = 8 + padded(name_size), space_at = type_at + padded(type_size),
               value_at = space_at + padded(space_size);
        if (value_at > piece.size || type_size < 8 || space_size < 4)
            return broken(image, "an attribute is cut");
        const uint8_t *type = piece.at + type_at, *space = piece.at + space_at;
        uint64_t size = number(type + 4, 4);
        if (name_size != strlen(name) + 1 || memcmp(piece.at + 8, name, (size_t)name_size) != 0)
            continue;
        if (type[0] != 0x13 || space[0] != 1 || space[1] != 0 || size == 0 || size >= room ||
            size > piece.size - value_at)
            return broken(image, "an attribute is absurd");
        memcpy(text, piece.at + value_at, (size_t)size);
        return DP_OK;
    }
    return broken(image, "an attribute is missing");
}

/* ---- the file ---- */

static dp_status read_payload(Image *image, const Object *object, Group *group, ModelImage *out)
{
    char hex[DP_DIGEST_HEX + 32];
    dp_digest found;
    DP_TRY(read_text(image, object, "family", out->family, sizeof out->family));
    DP_TRY(read_text(image, object, "sha256", hex, sizeof hex));
    DP_TRY(read_group(image, object, group));
    for (int i = 0; i < group->n; i++) {
        Object array;
        Tensor set;
        DP_TRY(read_object(image, group->link[i].object, &array));
        DP_TRY(read_set(image, &array, &set));
        DP_TRY(model_arrays_copy(out->arrays, group->link[i].name, set));
    }
    DP_TRY(model_arrays_digest(out->arrays, &found));
    if (!dp_digest_read(out->payload, hex) || !dp_digest_same(out->payload, &found))
        return dp_fail(DP_ERR_DATA, "model-02",
                       "%s: the learned arrays do not fit their own SHA-256; do not use the file", image->name);
    return DP_OK;
}

static dp_status read_provenance(Image *image, const Object *object, Group *group, char **provenance)
{
    Object json;
    Tensor set;
    DP_TRY(read_group(image, object, group));
    if (group->n != 1)
        return broken(image, "a group holds more or less than it should");
    DP_TRY(find_link(image, group, "json", &json));
    DP_TRY(read_set(image, &json, &set));
    size_t n = tensor_bytes(set);
    if (set.type != TENSOR_U8 || n > PROVENANCE_MAX || (n > 0 && memchr(set.data, '\0', n)))
        return broken(image, "its provenance is not text");
    DP_TRY(dp_new(provenance, n + 1));
    tensor_copy(*provenance, set);
    return DP_OK;
}

static dp_status read_root(const Image *image, Group *group, Object *payload, Object *provenance)
{
    static const uint8_t magic[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0, 0, 0, 0, 8, 8, 0};
    Piece head = {NULL, 0};
    Object root;
    DP_TRY(take(image, 0, SUPERBLOCK, &head, "it is too short"));
    if (memcmp(head.at, magic, sizeof magic) != 0 || number(head.at + 24, 8) != 0)
        return broken(image, "it is no HDF5 file of the first form");
    DP_TRY(read_object(image, number(head.at + ROOT_ENTRY + 8, 8), &root));
    DP_TRY(read_group(image, &root, group));
    if (group->n != 2)
        return broken(image, "a group holds more or less than it should");
    DP_TRY(find_link(image, group, "payload", payload));
    return find_link(image, group, "provenance", provenance);
}

dp_status model_image_read(ModelImage *out, const void *bytes, size_t size, const char *name)
{
    Image image = {.bytes = bytes, .size = size, .name = name};
    Group *group = NULL;
    Object payload, provenance;
    dp_status st = DP_OK;
    DP_GO(dp_new(&group, 1));
    DP_GO(read_root(&image, group, &payload, &provenance));
    DP_GO(read_payload(&image, &payload, group, out));
    if (out->provenance)
        DP_GO(read_provenance(&image, &provenance, group, out->provenance));
done:
    dp_free(&group);
    return st;
}
