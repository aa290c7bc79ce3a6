/* SPDX-License-Identifier: MIT
 * main.h - what the start of the program decides: exit codes, the socket, the processes.
 */
#ifndef BACKEND_MAIN_H
#define BACKEND_MAIN_H

#include "server.h"

/* As sysexits.h has them; a supervisor need not try again after EXIT_SETTINGS. */
enum { EXIT_UNAVAILABLE = 69, EXIT_SETTINGS = 78 };

/* A listening socket, or -1: logged why. */
int socket_listen(const struct settings *settings);
/* Runs one process a count, all on the same socket, and starts those that die again. An exit code. */
int processes_run(struct server *server);

#endif
