#include "device/device.h"

const dp_help_row device_help[] = {
    {"device-01", "The config or the call names a device that does not exist.",
     "Write device: auto, cpu, cuda or reference."},
    {"device-02",
     "device: cuda was asked for, and no GPU can be used. The message says why: the plugin was not built (no nvcc when "
     "Dipper was configured) or does not lie beside the program, there is no driver or no card, or the card's results "
     "differ from the reference's.",
     "Write device: auto to take the processor, or mend what is named; DIPPER_CUDA_PLUGIN can name the plugin's file."},
    {NULL, NULL, NULL},
};
