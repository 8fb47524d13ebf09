/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON output. */
#ifndef HLK_RUN_JSON_H
#define HLK_RUN_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

char *text_clean(const char *text, size_t len);
void json_u64(struct cJSON *to, const char *name, uint64_t value);
void json_text(struct cJSON *to, const char *name, const char *text, size_t len);
void json_bytes(struct cJSON *to, const char *name, const char *hex, const void *data,
		size_t len);
void json_begun(void);
void json_print(struct cJSON *root);
bool json_printed(void);
int json_write(struct cJSON *root, const char *path);

#endif /* HLK_RUN_JSON_H */
