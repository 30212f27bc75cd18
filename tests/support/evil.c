/* evil KIND FILE: makes a good HDF5 file one that must not be trusted. The first data set found is replaced by
 *   external-link      a link into another file        external-storage   one whose bytes lie in /etc/passwd
 *   virtual            a view of another file          soft-link          a link to a data set of the same file
 *   filter             one with a filter nobody has    huge               one that claims 2^60 elements
 * and `foreign` writes another program's HDF5 file in its place. */
#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Found {
    char path[256];
} Found;

static herr_t first_data_set(hid_t group, const char *name, const H5O_info_t *info, void *out)
{
    Found *found = out;
    (void)group;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    snprintf(found->path, sizeof found->path, "/%s", name);
    return 1;
}

/* A filter of our own number that changes nothing: readers do not have it. */
static size_t as_it_is(unsigned flags, size_t n, const unsigned values[], size_t bytes, size_t *room, void **data)
{
    (void)flags, (void)n, (void)values, (void)room, (void)data;
    return bytes;
}

static bool make_data_set(hid_t file, const char *path, const char *kind)
{
    hsize_t n = strcmp(kind, "huge") == 0 ? (hsize_t)1 << 60 : 64, chunk = 64;
    hid_t space = H5Screate_simple(1, &n, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    double zeros[64] = {0};
    if (strcmp(kind, "external-storage") == 0) {
        H5Pset_external(how, "/etc/passwd", 0, n * sizeof(double));
    } else if (strcmp(kind, "virtual") == 0) {
        H5Pset_virtual(how, space, "/etc/other.h5", "/data", space);
    } else {
        H5Pset_chunk(how, 1, &chunk);
        if (strcmp(kind, "filter") == 0) {
            const H5Z_class2_t mine = {H5Z_CLASS_T_VERS, 300, 1, 1, "mine", NULL, NULL, as_it_is};
            H5Zregister(&mine);
            H5Pset_filter(how, 300, H5Z_FLAG_MANDATORY, 0, NULL);
        }
    }
    hid_t set = H5Dcreate2(file, path, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, how, H5P_DEFAULT);
    bool good = set >= 0;
    if (good && strcmp(kind, "filter") == 0)
        good = H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0;
    if (set >= 0)
        H5Dclose(set);
    H5Pclose(how);
    H5Sclose(space);
    return good;
}

static bool corrupt(hid_t file, const char *kind)
{
    Found found = {""};
    if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, first_data_set, &found) != 1)
        return false;
    fprintf(stderr, "%s %s\n", kind, found.path);
    if (strcmp(kind, "soft-link") == 0)
        return H5Lmove(file, found.path, file, "/aside", H5P_DEFAULT, H5P_DEFAULT) >= 0 &&
               H5Lcreate_soft("/aside", file, found.path, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    if (H5Ldelete(file, found.path, H5P_DEFAULT) < 0)
        return false;
    if (strcmp(kind, "external-link") == 0)
        return H5Lcreate_external("/etc/other.h5", "/data", file, found.path, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    return make_data_set(file, found.path, kind);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    bool foreign = strcmp(argv[1], "foreign") == 0;
    hid_t file = foreign ? H5Fcreate(argv[2], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)
                         : H5Fopen(argv[2], H5F_ACC_RDWR, H5P_DEFAULT);
    if (file < 0)
        return 1;
    bool good = foreign ? make_data_set(file, "/measurements", "plain") : corrupt(file, argv[1]);
    return H5Fclose(file) >= 0 && good ? 0 : 1;
}
