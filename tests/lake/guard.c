/* RUN np=1 quick -- hostile HDF5 files: refused, and what crashes, hangs or eats memory hurts only a child process. */
#include "fixture.h"

#include <fcntl.h>
#include <hdf5.h>

#include "lake/guard.h"

static char folder[64], path[128];

static dp_status guard(LakeLook look, double seconds)
{
    char *image = NULL;
    size_t size = 0;
    dp_status st = lake_guard_file(path, 1 << 24, seconds, look, NULL, &image, &size);
    dp_free(&image);
    return st;
}

static hid_t begin(void)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void add_set(hid_t file, const char *name, hid_t type, hsize_t n, hid_t dcpl)
{
    hid_t space = H5Screate_simple(1, &n, NULL),
          set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void end(hid_t file)
{
    assert_true(H5Fclose(file) >= 0);
}

static void plain_files_pass(void **state)
{
    (void)state;
    hid_t file = begin(), group = H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 10;
    H5Pset_chunk(dcpl, 1, &chunk);
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, 4);
    add_set(file, "a", H5T_STD_I32LE, 100, dcpl);
    add_set(group, "b", H5T_IEEE_F64LE, 0, H5P_DEFAULT);
    assert_true(H5Lcreate_hard(file, "a", file, "again", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_hard(file, "/", group, "round", H5P_DEFAULT, H5P_DEFAULT) >= 0); /* a ring of groups */
    H5Pclose(dcpl);
    H5Gclose(group);
    end(file);
    assert_ok(guard(NULL, 5));
}

static void links_elsewhere_are_refused(void **state)
{
    (void)state;
    hid_t file = begin();
    H5Lcreate_external("/etc/passwd", "/a", file, "outside", H5P_DEFAULT, H5P_DEFAULT);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
    assert_non_null(strstr(dp_error_last()->text, "link to another file"));
    file = begin();
    H5Lcreate_soft("/b", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
}

static void storage_elsewhere_is_refused(void **state)
{
    (void)state;
    hid_t file = begin(), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(dcpl, "/etc/passwd", 0, 100);
    add_set(file, "a", H5T_STD_U8LE, 100, dcpl);
    H5Pclose(dcpl);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
    assert_non_null(strstr(dp_error_last()->text, "in another file"));
}

static void virtual_datasets_are_refused(void **state)
{
    (void)state;
    hid_t file = begin(), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t n = 100;
    hid_t space = H5Screate_simple(1, &n, NULL);
    assert_true(H5Pset_virtual(dcpl, space, "other.h5", "/a", space) >= 0);
    add_set(file, "a", H5T_STD_U8LE, n, dcpl);
    H5Sclose(space);
    H5Pclose(dcpl);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
}

static void foreign_filters_and_types_are_refused(void **state)
{
    (void)state;
    hid_t file = begin(), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 10;
    H5Pset_chunk(dcpl, 1, &chunk);
    H5Pset_fletcher32(dcpl);
    add_set(file, "a", H5T_STD_U8LE, 100, dcpl);
    H5Pclose(dcpl);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
    file = begin();
    hid_t type = H5Tcopy(H5T_STD_I32LE);
    H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
}

static void absurd_counts_are_refused(void **state)
{
    (void)state;
    hid_t file = begin(), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 10;
    H5Pset_chunk(dcpl, 1, &chunk);
    add_set(file, "a", H5T_IEEE_F64LE, (hsize_t)1 << 60, dcpl);
    H5Pclose(dcpl);
    end(file);
    assert_fails(guard(NULL, 5), DP_ERR_DATA, "lake-16");
}

/* What a look may come upon. */
static dp_status crash(int64_t file, const char *name, void *self)
{
    volatile int *nowhere = self;
    (void)file;
    (void)name;
    return *nowhere ? DP_ERR_DATA : DP_OK;
}

static dp_status spin(int64_t file, const char *name, void *self)
{
    volatile int64_t more = file | 1;
    (void)self;
    while (more)
        more |= *name;
    return DP_OK;
}

static dp_status eat(int64_t file, const char *name, void *self)
{
    (void)file;
    (void)name;
    (void)self;
    void *meal = malloc((size_t)1 << 30); /* refused, so that the look can go on and say so */
    bool got = meal != NULL;
    free(meal);
    return got ? DP_OK : dp_fail(DP_ERR_AGAIN, "test-02", "no memory");
}

static dp_status open_another(int64_t file, const char *name, void *self)
{
    (void)file;
    (void)self;
    return open(name, O_RDONLY) < 0 ? dp_fail(DP_ERR_DENIED, "test-03", "nothing opens") : DP_OK;
}

static void the_child_takes_the_harm(void **state)
{
    (void)state;
    end(begin());
    assert_fails(guard(crash, 5), DP_ERR_DATA, "lake-15");
    assert_fails(guard(spin, 0.2), DP_ERR_DATA, "lake-15");
    assert_int_not_equal(guard(eat, 5), DP_OK); /* test-02; or lake-15, where malloc ends the process */
    assert_fails(guard(open_another, 5), DP_ERR_DENIED, "test-03");
    assert_ok(guard(NULL, 5));
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    char *whole = NULL;
    size_t size = 0;
    hid_t file = begin();
    for (int i = 0; i < 20; i++) {
        char name[16];
        sprintf(name, "set%d", i);
        add_set(file, name, H5T_STD_I64LE, 10, H5P_DEFAULT);
    }
    end(file);
    assert_ok(lake_guard_file(path, 1 << 24, 5, NULL, NULL, &whole, &size));
    for (size_t n = 0; n < size; n += 1 + n / 8)
        assert_int_equal(lake_guard_image("cut", whole, n, 5, NULL, NULL), DP_ERR_DATA);
    for (int i = 0; i < 250; i++) { /* either harmless or refused: never a death of ours */
        size_t at = f_random(50, i) % size;
        char byte = whole[at];
        whole[at] = (char)f_random(51, i);
        dp_status st = lake_guard_image("changed", whole, size, 5, NULL, NULL);
        assert_true(st == DP_OK || st == DP_ERR_DATA);
        whole[at] = byte;
    }
    dp_free(&whole);
    assert_fails(lake_guard_image("text", "a,b,c\n1,2,3\n", 12, 5, NULL, NULL), DP_ERR_DATA, "lake-16");
    assert_fails(lake_guard_image("nothing", "", 0, 5, NULL, NULL), DP_ERR_DATA, "lake-16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files_pass),
        cmocka_unit_test(links_elsewhere_are_refused),
        cmocka_unit_test(storage_elsewhere_is_refused),
        cmocka_unit_test(virtual_datasets_are_refused),
        cmocka_unit_test(foreign_filters_and_types_are_refused),
        cmocka_unit_test(absurd_counts_are_refused),
        cmocka_unit_test(the_child_takes_the_harm),
        cmocka_unit_test(broken_files_are_refused),
    };
    Comm *comm = NULL;
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    fixture_folder(folder, comm);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_sweep(folder, comm);
    comm_close(&comm);
    return failed;
}
