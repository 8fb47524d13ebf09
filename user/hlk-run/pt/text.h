/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: as text and as JSON. */
#ifndef HLK_RUN_PT_TEXT_H
#define HLK_RUN_PT_TEXT_H

#include "../json.h"
#include "collect.h"

void pt_size_text(uint64_t bytes, char *text, size_t size);
void pt_notes(const struct hlk_mapping *map, char *text, size_t size);
void pt_print_mapping(const char *before, const struct hlk_mapping *map, int width);
void pt_print_object(struct cJSON *object);
struct cJSON *pt_mapping_json(const struct hlk_mapping *map);
void pt_print_text(const struct pt_space *space, uint64_t fold);
void pt_print_json(const struct pt_space *space);

#endif /* HLK_RUN_PT_TEXT_H */
