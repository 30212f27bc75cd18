/* slice.c -- a category column as codes that are the same on every rank, for figures by slice. */
#include <stdlib.h>
#include <string.h>

#include "data_priv.h"

int data_find_prefix(const LakeSchema *schema, const char *name, int *digits)
{
    size_t stem = strcspn(name, "0123456789");
    char *end;
    long wanted = strtol(name + stem, &end, 10);
    if (stem == 0 || end == name + stem || *end != '\0' || wanted < 1)
        return -1;
    for (int c = 0; c < schema->n; c++) {
        const LakeColumn *column = &schema->columns[c];
        if (column->type == LAKE_CODE && column->digits > wanted && strcspn(column->name, "0123456789") == stem &&
            memcmp(column->name, name, stem) == 0) {
            *digits = (int)wanted;
            return c;
        }
    }
    return -1;
}

/* Local. The texts of the codes, cut to `digits` (0: whole), that rows really have; zero-terminated. */
static dp_status used_names(dp_buf *names, const Categories *categories, int64_t rows, int digits)
{
    uint8_t *used = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&used, categories->map.n));
    for (int64_t i = 0; i < rows; i++) {
        dp_shelf_step(categories->shelf, i);
        used[categories->code[i]] = 1;
    }
    for (uint32_t c = 0; c < categories->map.n; c++)
        if (used[c]) {
            const char *text = categories->text.data + categories->text_at[c];
            size_t size = (size_t)(categories->text_at[c + 1] - categories->text_at[c]);
            DP_GO(dp_buf_add(names, text, digits && (size_t)digits < size ? (size_t)digits : size));
            DP_GO(dp_buf_add(names, "", 1));
        }
done:
    dp_free(&used);
    return st;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Local. Sorted distinct names of all ranks, into names and, as pointers into `all`, into list (free with dp_free). */
static dp_status sort_names(dp_buf *names, const char ***list, uint32_t *n, const char *all, size_t bytes)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < bytes; i++)
        count += all[i] == '\0';
    DP_TRY(dp_new(list, count));
    count = 0;
    for (size_t i = 0; i < bytes; i += strlen(all + i) + 1)
        (*list)[count++] = all + i;
    if (count > 1)
        qsort(*list, count, sizeof **list, compare_names);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp((*list)[i], (*list)[kept - 1]) != 0)
            (*list)[kept++] = (*list)[i];
    for (size_t i = 0; i < kept; i++)
        DP_TRY(dp_buf_add(names, (*list)[i], strlen((*list)[i]) + 1));
    *n = (uint32_t)kept;
    return DP_OK;
}

/* Local. Our codes into places in the sorted list. */
static dp_status number_rows(uint32_t *code, const Categories *categories, int64_t rows, int digits,
                             const char *const *list, uint32_t n)
{
    uint32_t *to = NULL;
    dp_buf cut = {0};
    dp_status st = DP_OK;
    DP_GO(dp_new(&to, categories->map.n));
    for (uint32_t c = 0; c < categories->map.n; c++) {
        size_t size = (size_t)(categories->text_at[c + 1] - categories->text_at[c]);
        cut.size = 0;
        DP_GO(dp_buf_add(&cut, categories->text.data + categories->text_at[c],
                         digits && (size_t)digits < size ? (size_t)digits : size));
        const char *key = cut.data;
        const char *const *found = bsearch(&key, list, n, sizeof *list, compare_names);
        to[c] = found ? (uint32_t)(found - list) : 0; /* not found: no row has it */
    }
    for (int64_t i = 0; i < rows; i++) {
        dp_shelf_step(categories->shelf, i);
        code[i] = to[categories->code[i]];
    }
done:
    dp_free(&to);
    dp_buf_free(&cut);
    return st;
}

static dp_status find_slice(int *column, int *digits, const Data *data, const char *name)
{
    *digits = 0;
    *column = lake_schema_find(data->schema, name);
    if (*column < 0)
        *column = data_find_prefix(data->schema, name, digits);
    if (*column < 0)
        return data_find_column(column, data, "evaluate.slices", name);
    LakeType type = data->schema->columns[*column].type;
    return type == LAKE_CATEGORY || type == LAKE_CODE
               ? DP_OK
               : dp_fail(DP_ERR_CONFIG, "data-03",
                         "evaluate.slices: '%s' is of type %s; slices are by categories and codes", name,
                         lake_type_name(type));
}

dp_status data_slice_check(const Data *data, const char *column)
{
    int c, digits;
    return find_slice(&c, &digits, data, column);
}

dp_status data_slice(Data *data, const char *column, uint32_t **code, dp_buf *names, uint32_t *n, const Comm *comm)
{
    int digits, c;
    Categories categories = {0};
    dp_buf mine = {0};
    char *all = NULL;
    size_t *starts = NULL;
    const char **list = NULL;
    dp_status st = DP_OK;
    *code = NULL;
    DP_TRY(find_slice(&c, &digits, data, column));
    DP_GO(data_categories(&categories, data, c, comm));
    if ((st = dp_new(&starts, (size_t)comm_size(comm) + 1)) == DP_OK &&
        (st = dp_shelf_new(&data->shelf, code, (size_t)data->rows.n)) == DP_OK)
        st = used_names(&mine, &categories, data->rows.n, digits);
    DP_GO_ALL(comm, st);
    DP_GO(comm_collect_any(comm, mine.data, mine.size, &all, starts));
    st = sort_names(names, &list, n, all, starts[comm_size(comm)]);
    if (st == DP_OK)
        st = number_rows(*code, &categories, data->rows.n, digits, list, *n);
    DP_GO_ALL(comm, st);
done:
    categories_free(&categories);
    dp_buf_free(&mine);
    dp_free(&all);
    dp_free(&starts);
    dp_free(&list);
    if (st != DP_OK)
        dp_shelf_free(&data->shelf, code);
    return st;
}
