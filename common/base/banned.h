/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned: calls that have ended other mail servers, poisoned for every file of ours (the Makefile
 * includes this header on the command line, before any other).
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#undef alloca
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol alloca gets
#pragma GCC poison gmtime localtime ctime asctime system popen mktemp tmpnam strerror_l
