#include "data_priv.h"

enum { FIRST_ROOM = 64 };

void keymap_free(KeyMap *map)
{
    dp_free(&map->keys);
    dp_free(&map->slots);
    *map = (KeyMap){0};
}

void keymap_settle(KeyMap *map)
{
    dp_free(&map->slots);
}

static void place(KeyMap *map, uint32_t number)
{
    uint64_t key = map->keys[number], s = keymap_slot(map, key);
    while (map->slots[s].number != 0)
        s = (s + 1) & map->mask;
    map->slots[s] = (struct KeySlot){.key = key, .number = number + 1};
}

/* Twice the room; the slots stay at most half full. */
static dp_status grow(KeyMap *map)
{
    uint32_t room = map->room ? map->room * 2 : FIRST_ROOM;
    struct KeySlot *slots = NULL;
    DP_TRY(dp_resize(&map->keys, map->room, room));
    DP_TRY(dp_new(&slots, (size_t)room * 2));
    dp_free(&map->slots);
    map->slots = slots;
    map->room = room;
    map->mask = (uint64_t)room * 2 - 1;
    for (uint32_t i = 0; i < map->n; i++)
        place(map, i);
    return DP_OK;
}

dp_status keymap_add(KeyMap *map, uint64_t key, uint32_t *number)
{
    if (map->n == UINT32_MAX / 4)
        return dp_fail(DP_ERR_AGAIN, "data-13",
                       "a column has more than a thousand million distinct values on one rank; use more ranks");
    if (map->n == map->room)
        DP_TRY(grow(map));
    map->keys[map->n] = key;
    place(map, map->n);
    *number = map->n++;
    return DP_OK;
}
