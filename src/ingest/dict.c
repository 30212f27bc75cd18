/* A dictionary of short texts: open addressing, codes in the order of first occurrence. A text of up to eight bytes is
 * its own key, so most look-ups are one masked load, one multiplication and one comparison. */
#include "ingest/ingest_priv.h"

#include <string.h>

enum { FIRST_ROOM = 1024 };

static bool is_it(const IngestDict *d, const IngestSlot *s, uint64_t key, const char *text, uint32_t size)
{
    return s->key == key && s->size_1 == size + 1 &&
           (size <= INGEST_SHORT || memcmp(d->bytes + d->offset[s->code], text, size) == 0);
}

static dp_status grow(IngestDict *d)
{
    size_t room = d->room ? 4 * d->room : FIRST_ROOM;
    IngestSlot *slots = NULL;
    DP_TRY(dp_new(&slots, room));
    for (size_t i = 0; i < d->room; i++) {
        if (!d->slots[i].size_1)
            continue;
        size_t p = ingest_dict_place(d->slots[i].key, d->slots[i].size_1 - 1, room);
        while (slots[p].size_1)
            p = (p + 1) & (room - 1);
        slots[p] = d->slots[i];
    }
    dp_free(&d->slots);
    d->slots = slots;
    d->room = room;
    return DP_OK;
}

static dp_status add_code(IngestDict *d, const char *text, uint32_t size, uint64_t place)
{
    if (d->n + 1 >= d->n_room) {
        uint32_t room = d->n_room ? 2 * d->n_room : 512;
        DP_TRY(dp_resize(&d->offset, d->n_room, room));
        DP_TRY(dp_resize(&d->first, d->n_room, room));
        DP_TRY(dp_resize(&d->bad, d->n_room, room));
        d->n_room = room;
    }
    size_t used = d->n ? d->offset[d->n] : 0;
    if (used + size > d->bytes_room) {
        size_t room = 2 * (used + size) + 4096;
        DP_TRY(dp_resize(&d->bytes, d->bytes_room, room));
        d->bytes_room = room;
    }
    if (size > 0)
        memcpy(d->bytes + used, text, size);
    d->first[d->n] = place;
    d->bad[d->n] = BAD_NOT;
    d->offset[d->n++] = (uint32_t)used;
    d->offset[d->n] = (uint32_t)(used + size);
    return DP_OK;
}

/* The slot of a text; *known says whether it was there. */
static dp_status slot_of(IngestDict *d, IngestSlot **slot, bool *known, const char *text, uint32_t size)
{
    if (3 * (size_t)d->n >= 2 * d->room)
        DP_TRY(grow(d));
    uint64_t key = size <= INGEST_SHORT ? ingest_dict_key(text, size) : dp_hash64(text, size, 0);
    size_t p = ingest_dict_place(key, size, d->room);
    while (d->slots[p].size_1 && !is_it(d, &d->slots[p], key, text, size))
        p = (p + 1) & (d->room - 1);
    *slot = &d->slots[p];
    *known = d->slots[p].size_1 != 0;
    if (!*known)
        d->slots[p] = (IngestSlot){.key = key, .size_1 = size + 1};
    return DP_OK;
}

dp_status ingest_dict_code(IngestDict *d, uint32_t *code, const char *text, uint32_t size, uint64_t place)
{
    IngestSlot *slot;
    bool known;
    if (ingest_dict_quick(d, code, text, size))
        return DP_OK;
    DP_TRY(slot_of(d, &slot, &known, text, size));
    if (!known) {
        slot->code = d->n;
        DP_TRY(add_code(d, text, size, place));
    }
    *code = slot->code;
    return DP_OK;
}

dp_status ingest_dict_missing(IngestDict *d, const char *text, uint32_t size)
{
    IngestSlot *slot;
    bool known;
    char padded[256] = {0};
    if (size <= INGEST_SHORT)
        text = memcpy(padded, text, size);
    DP_TRY(slot_of(d, &slot, &known, text, size));
    if (!known && size > INGEST_SHORT) {
        /* A long spelling is compared with its bytes: it takes a code of its own whose text nobody sees. */
        slot->code = d->n;
        d->hidden++;
        return add_code(d, text, size, 0);
    }
    slot->code = 0;
    return DP_OK;
}

dp_status ingest_dict_clear(IngestDict *d)
{
    d->n = d->hidden = 0;
    d->any_bad = false;
    if (d->room > 0)
        memset(d->slots, 0, d->room * sizeof *d->slots);
    else
        DP_TRY(grow(d));
    IngestSlot *slot;
    bool known;
    char nothing[INGEST_SHORT] = {0};
    DP_TRY(slot_of(d, &slot, &known, nothing, 0));
    slot->code = 0;
    return add_code(d, nothing, 0, 0);
}

void ingest_dict_free(IngestDict *d)
{
    dp_free(&d->slots);
    dp_free(&d->offset);
    dp_free(&d->first);
    dp_free(&d->bad);
    dp_free(&d->bytes);
    *d = (IngestDict){0};
}
