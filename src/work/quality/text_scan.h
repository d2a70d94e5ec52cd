/* Which types the texts of a column have: what each text is, fast for the usual forms. */
#ifndef NEURON_TEXT_SCAN_H
#define NEURON_TEXT_SCAN_H

#include "work/quality/type_profile.h"

/* What a column of texts, whose types nobody looked for before, turns out to be. Zero-initialised
 * but for `kinds`. */
typedef struct TextScan {
    uint8_t kinds; /* CsvCandidate bits that all texts so far have; CSV_ANY at the start */
    /* Numbers by their digits after the point, as bits: those that end in 0, where these would end
     * without their zeros, and all others. */
    uint64_t zero_scales, bare_scales, other_scales;
    uint8_t time_forms; /* timestamps: 1 with a blank, 2 with T, 4 any other form */
} TextScan;

/* Add the column's texts to the type_profile and to the scan. */
void text_scan_add(TextScan *scan, TypeProfile *type_profile, const Column *column,
                   int64_t first_row);
void text_scan_merge(TextScan *scan, const TextScan *next);
/* The first type that holds all texts, as a reader of CSV would find it. */
TypeId text_scan_type(const TextScan *scan);
/* Two texts of the column may differ and yet be one value of its type (1.5 and 1.50). */
bool text_scan_has_variants(const TextScan *scan);

#endif
