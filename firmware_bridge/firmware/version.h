/* Firmware version; BUILD_HASH is given by the Makefile: SHA-256 over all sources. */
#ifndef VERSION_H
#define VERSION_H

#define FIRMWARE_MAJOR 1
#define FIRMWARE_MINOR 0
#define FIRMWARE_PATCH 0

#ifndef BUILD_HASH
#define BUILD_HASH {0}
#endif

#endif
