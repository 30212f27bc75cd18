/* classes.c -- kinds of labels; those of several classes: which there are in train, by name, and the class of each row.
 */
#include <stdlib.h>
#include <string.h>

#include "data_priv.h"

const char *data_kind_name(DataKind kind)
{
    static const char *const names[] = {
        [DATA_FLAG] = "of type label (1 and 0)", [DATA_NUMBER] = "a number", [DATA_CLASS] = "a category or code"};
    return names[kind];
}

void data_classes_free(DataClasses *classes)
{
    dp_free(&classes->text);
    dp_free(&classes->name);
    *classes = (DataClasses){0};
}

bool data_classes_same(const DataClasses *a, const DataClasses *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->text, b->text, a->size) == 0);
}

dp_status data_classes_build(DataClasses *classes, const char *text, size_t size)
{
    int n = 0;
    *classes = (DataClasses){0};
    for (size_t i = 0; i < size; i++)
        n += text[i] == '\0' && n <= DATA_CLASSES_MAX;
    if (n < 2 || n > DATA_CLASSES_MAX || text[size - 1] != '\0')
        return dp_fail(DP_ERR_DATA, "data-18", "%s%d classes: a model learns 2 .. %d",
                       n > DATA_CLASSES_MAX ? "over " : "", n > DATA_CLASSES_MAX ? n - 1 : n, (int)DATA_CLASSES_MAX);
    DP_TRY(dp_new(&classes->text, size));
    DP_TRY(dp_new(&classes->name, (size_t)n));
    memcpy(classes->text, text, size);
    classes->size = size;
    for (const char *name = classes->text; classes->n < n; name += strlen(name) + 1) {
        if (!*name || (classes->n > 0 && strcmp(classes->name[classes->n - 1], name) >= 0))
            return dp_fail(DP_ERR_DATA, "data-18", "the names of the classes do not ascend at '%s'", name);
        classes->name[classes->n++] = name;
    }
    return DP_OK;
}

/* Collective. count [n]: rows of train by their place in the column's values. */
static dp_status count_train(int64_t **count, const Data *data, const uint32_t *code, uint32_t n, const Comm *comm)
{
    DP_TRY_ALL(comm, dp_new(count, (size_t)n + 1));
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        if (data->rows.part[i] == DATA_TRAIN)
            (*count)[code[i]]++;
    }
    comm_sum_i64(comm, *count, n);
    return DP_OK;
}

/* Local. The values that train has become classes; class_of [n]: their number, n: none. *largest: the most frequent. */
static dp_status choose_classes(Data *data, uint32_t *class_of, int *largest, const char *names, const int64_t *count,
                                uint32_t n, const char *label)
{
    dp_buf chosen = {0};
    int64_t most = 0;
    uint32_t classes = 0;
    dp_status st = DP_OK;
    for (uint32_t v = 0; v < n; v++, names += strlen(names) + 1) {
        class_of[v] = count[v] > 0 ? classes : n;
        if (count[v] == 0)
            continue;
        if (count[v] > most) {
            most = count[v];
            *largest = (int)classes;
        }
        classes++;
        DP_GO(dp_buf_add(&chosen, names, strlen(names) + 1));
    }
    if (classes < 2 || classes > DATA_CLASSES_MAX)
        DP_GO(dp_fail(DP_ERR_DATA, classes < 2 ? "data-06" : "data-18",
                      "label '%s' has %u values in the %lld rows of train; a model learns 2 .. %d classes%s", label,
                      classes, (long long)data->facts.rows[DATA_TRAIN], (int)DATA_CLASSES_MAX,
                      classes < 2 ? ": widen split.train or look at the label" : ": choose a coarser column"));
    DP_GO(data_classes_build(&data->classes, chosen.data, chosen.size));
done:
    dp_buf_free(&chosen);
    return st;
}

dp_status classes_read(Data *data, const char *label, const Comm *comm)
{
    DataRows *rows = &data->rows;
    uint32_t *code = NULL, *class_of = NULL, n = 0;
    int64_t *count = NULL, unseen = 0;
    dp_buf names = {0};
    int largest = 0;
    dp_status st = DP_OK;
    DP_GO(data_slice(data, label, &code, &names, &n, comm));
    DP_GO(count_train(&count, data, code, n, comm));
    if ((st = dp_new(&class_of, n)) == DP_OK &&
        (st = dp_shelf_new(&data->shelf, &rows->class_id, (size_t)rows->n + 1)) == DP_OK)
        st = choose_classes(data, class_of, &largest, names.data, count, n, label);
    DP_GO_ALL(comm, st);
    for (int64_t i = 0; i < rows->n; i++) {
        uint32_t class_id = class_of[code[i]];
        dp_shelf_step(&data->shelf, i);
        if (class_id == n) {
            rows->part[i] = DATA_NONE;
            unseen++;
            continue;
        }
        rows->class_id[i] = (uint8_t)class_id;
        rows->label[i] = (int)class_id == largest;
    }
    comm_sum_i64(comm, &unseen, 1);
    data->facts.unseen = unseen;
    data->facts.largest = largest;
done:
    dp_shelf_free(&data->shelf, &code);
    dp_free(&class_of);
    dp_free(&count);
    dp_buf_free(&names);
    return st;
}

const DataClasses *data_classes(const Data *data)
{
    return &data->classes;
}

const uint8_t *data_class_id(const Data *data)
{
    return data->rows.class_id;
}
