#include "device/device.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "device/device_priv.h"

struct Device {
    const Backend *backend;
    void *library; /* of a plugin */
    DeviceContext context;
    TreeOps trees;
    char text[192];
};

enum { WHY_SIZE = 128 };

/* Opens the plugin that DIPPER_CUDA_PLUGIN names, or the one beside the program, beside its libraries, or where the
 * loader looks. */
static void *open_library(void)
{
    static const char *const places[] = {"%s/libdipper_cuda.so", "%s/../" DIPPER_LIBDIR "/libdipper_cuda.so",
                                         "%s/../libdipper_cuda.so"};
    const char *asked = getenv("DIPPER_CUDA_PLUGIN");
    char folder[3072], path[4096];
    void *library = NULL;
    if (asked && *asked)
        return dlopen(asked, RTLD_NOW | RTLD_LOCAL);
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[n > 0 ? n : 0] = 0;
    char *slash = strrchr(folder, '/');
    for (size_t i = 0; slash && !library && i < sizeof places / sizeof *places; i++) {
        *slash = 0;
        snprintf(path, sizeof path, places[i], folder);
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    return library ? library : dlopen("libdipper_cuda.so", RTLD_NOW | RTLD_LOCAL);
}

/* The plugin's table; NULL with the reason in `why`. */
static const Backend *open_plugin(void **library, char *why)
{
    DevicePluginEntry entry;
    *library = open_library();
    if (!*library) {
        snprintf(why, WHY_SIZE, "no plugin libdipper_cuda.so");
        return NULL;
    }
    *(void **)&entry = dlsym(*library, DEVICE_PLUGIN_ENTRY);
    const Backend *backend = entry ? entry(DEVICE_ABI) : NULL;
    if (!backend || backend->abi != DEVICE_ABI) {
        snprintf(why, WHY_SIZE, "the plugin is of another version");
        dlclose(*library);
        *library = NULL;
        return NULL;
    }
    return backend;
}

/* Every operation that the backend lacks is the cpu's. A table of operations is an array of function pointers. */
static void fill_table(TreeOps *table, const TreeOps *own, const TreeOps *cpu)
{
    void (*slot[sizeof *table / sizeof(void (*)(void))])(void);
    void (*spare[sizeof slot / sizeof *slot])(void);
    memcpy(slot, own, sizeof slot);
    memcpy(spare, cpu, sizeof spare);
    for (size_t i = 0; i < sizeof slot / sizeof *slot; i++)
        if (!slot[i])
            slot[i] = spare[i];
    memcpy(table, slot, sizeof slot);
}

/* Makes `backend` the device's. false with the reason in `why`. */
static bool take(Device *device, const Backend *backend, int ordinal, char *why)
{
    char cpu[64];
    const char *refused;
    backend_cpu.open(&device->context, 0, cpu, sizeof cpu);
    device->context.spare = backend_cpu.trees;
    refused = backend->open(&device->context, ordinal, device->text, sizeof device->text);
    if (refused) {
        snprintf(why, WHY_SIZE, "%s", refused);
        return false;
    }
    fill_table(&device->trees, backend->trees, backend_cpu.trees);
    device->backend = backend;
    return true;
}

/* The GPU, if it is there and gives the reference's bits on a small sample. */
static bool take_cuda(Device *device, int ordinal, char *why)
{
    const Backend *backend = open_plugin(&device->library, why);
    if (!backend)
        return false;
    if (take(device, backend, ordinal, why)) {
        if (device_agrees(&device->trees, &device->context))
            return true;
        backend->close(&device->context);
        device->backend = NULL;
        snprintf(why, WHY_SIZE, "the GPU's results differ from the reference's");
    }
    dlclose(device->library);
    device->library = NULL;
    return false;
}

dp_status device_open(Device **device, const char *name, int ordinal, int threads)
{
    char why[WHY_SIZE] = "";
    bool any = strcmp(name, "auto") == 0, taken = false;
    const Backend *backend = strcmp(name, "reference") == 0 ? &backend_reference : &backend_cpu;
    if (!any && strcmp(name, "cpu") != 0 && strcmp(name, "cuda") != 0 && strcmp(name, "reference") != 0)
        return dp_fail(DP_ERR_USAGE, "device-01", "there is no device '%s'; use auto, cpu, cuda or reference", name);
    DP_TRY(dp_new(device, 1));
    (*device)->context.threads = threads < 1 ? 1 : threads;
    if (any || strcmp(name, "cuda") == 0)
        taken = take_cuda(*device, ordinal, why);
    if (!taken && strcmp(name, "cuda") == 0) {
        device_close(device);
        return dp_fail(DP_ERR_NO_INPUT, "device-02", "no GPU can be used: %s; device: auto takes the processor", why);
    }
    if (!taken)
        take(*device, backend, 0, why);
    if (any && !taken) {
        size_t used = strlen((*device)->text);
        snprintf((*device)->text + used, sizeof(*device)->text - used, " (no GPU: %s)", why);
    }
    return DP_OK;
}

void device_close(Device **device)
{
    if (*device && (*device)->backend)
        (*device)->backend->close(&(*device)->context);
    if (*device && (*device)->library)
        dlclose((*device)->library);
    dp_free(device);
}

int device_threads(const Device *device)
{
    return device->context.threads;
}

int64_t device_rows_at_once(const Device *device)
{
    return device->backend->rows_at_once;
}

const char *device_describe(const Device *device)
{
    return device->text;
}

const TreeOps *device_tree_ops(const Device *device)
{
    return &device->trees;
}

const DeviceContext *device_context(const Device *device)
{
    return &device->context;
}
