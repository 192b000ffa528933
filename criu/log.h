/* SPDX-License-Identifier: MIT */
/* To CRIU's log. An error says what was tried, on what, and why it failed. */
#ifndef GMMAP_CRIU_LOG_H
#define GMMAP_CRIU_LOG_H

/* Returns -1, which is what CRIU's hooks return. */
int log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
