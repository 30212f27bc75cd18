/* device/device_priv.h -- inside the room. */
#ifndef DIPPER_DEVICE_DEVICE_PRIV_H
#define DIPPER_DEVICE_DEVICE_PRIV_H

#include <stdbool.h>

#include "device/backend.h"

/* Local. Does the table give the reference's bits on a small seeded sample? Asked once when a plugin is opened: a card
 * or driver that computes wrongly must not train a model. */
bool device_agrees(const TreeOps *ops, const DeviceContext *context);

#endif
