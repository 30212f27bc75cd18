/* category.c -- the categories of one column on this rank: dense codes and their texts. */
#include "data_priv.h"

void categories_free(Categories *categories)
{
    keymap_free(&categories->map);
    dp_buf_free(&categories->text);
    dp_free(&categories->text_at);
    dp_shelf_free(categories->shelf, &categories->code);
    *categories = (Categories){.shelf = categories->shelf};
}

dp_status categories_put(Categories *c, const char *text, size_t size, uint32_t *code)
{
    uint32_t before = c->map.n;
    DP_TRY(keymap_put(&c->map, category_key(text, size), code));
    if (c->map.n == before)
        return DP_OK;
    if (c->map.n + 1 > c->text_room) {
        uint32_t room = c->text_room ? c->text_room * 2 : 64;
        DP_TRY(dp_resize(&c->text_at, c->text_room, room));
        c->text_room = room;
    }
    DP_TRY(dp_buf_add(&c->text, text, size));
    c->text_at[c->map.n] = (int64_t)c->text.size;
    return DP_OK;
}
