/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/condition.h"

#include <string.h>

#include "serve/date.h"

/* entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE, RFC 9110 8.8.3. Moves *t behind it. */
static bool next_tag(struct sl_text *t, bool *weak, struct sl_text *tag)
{
    size_t n;

    *weak = t->size >= 2 && t->data[0] == 'W' && t->data[1] == '/';
    if (*weak) {
        t->data += 2;
        t->size -= 2;
    }
    if (t->size < 2 || t->data[0] != '"') {
        return false;
    }
    for (n = 1; n < t->size && t->data[n] != '"'; n++) {
        if ((unsigned char)t->data[n] < 0x21 || t->data[n] == 0x7f) {
            return false;
        }
    }
    if (n == t->size) {
        return false;
    }
    *tag = (struct sl_text){t->data, n + 1};
    t->data += n + 1;
    t->size -= n + 1;
    return true;
}

static bool same_tag(struct sl_text tag, const char *etag)
{
    return tag.size == strlen(etag) && memcmp(tag.data, etag, tag.size) == 0;
}

/* Whether a list of entity tags, or "*", names this one. Weak tags count only where weak
 * comparison is asked for (RFC 9110 8.8.3.2). Commas may stand within tags. */
static bool list_names(struct sl_text list, const char *etag, bool weak_counts)
{
    if (sl_text_is(list, "*")) {
        return true;
    }
    while (list.size > 0) {
        struct sl_text tag;
        bool weak;

        if (list.data[0] == ',' || list.data[0] == ' ' || list.data[0] == '\t') {
            list.data++;
            list.size--;
        } else if (!next_tag(&list, &weak, &tag)) {
            return false;
        } else if (same_tag(tag, etag) && (weak_counts || !weak)) {
            return true;
        }
    }
    return false;
}

static bool fields_name(const struct sl_request *r, enum sl_field_id id, const char *etag,
                        bool weak_counts, bool *present)
{
    struct sl_text value;
    size_t cursor = 0;
    bool named = false;

    *present = false;
    while (sl_request_next(r, id, &cursor, &value)) {
        *present = true;
        named = named || list_names(value, etag, weak_counts);
    }
    return named;
}

static bool field_date(const struct sl_request *r, enum sl_field_id id, int64_t now, int64_t *date)
{
    struct sl_text value = sl_request_field(r, id);

    return value.data && sl_date_parse(value.data, value.size, now, date);
}

int sl_condition_check(const struct sl_request *r, const struct sl_validators *v, int64_t now)
{
    bool present, named;
    int64_t date;

    named = fields_name(r, SL_FIELD_IF_MATCH, v->etag, false, &present);
    if (present) {
        if (!named) {
            return 412;
        }
    } else if (v->modified >= 0 && field_date(r, SL_FIELD_IF_UNMODIFIED_SINCE, now, &date) &&
               v->modified > date) {
        return 412;
    }
    named = fields_name(r, SL_FIELD_IF_NONE_MATCH, v->etag, true, &present);
    if (present) {
        return named ? 304 : 0;
    }
    if (v->modified >= 0 && field_date(r, SL_FIELD_IF_MODIFIED_SINCE, now, &date) &&
        v->modified <= date) {
        return 304;
    }
    return 0;
}

/* RFC 9110 13.1.5: a strong tag, or exactly our Last-Modified and that old enough to be strong
 * (8.8.2.2: the file cannot have changed twice within that second). */
static bool if_range_holds(const struct sl_request *r, const struct sl_validators *v, int64_t now)
{
    struct sl_text value = sl_request_field(r, SL_FIELD_IF_RANGE), tag;
    int64_t date;
    bool weak;

    if (!value.data) {
        return true;
    }
    if (sl_date_parse(value.data, value.size, now, &date)) {
        return v->modified >= 0 && date == v->modified && v->modified + 1 < now;
    }
    return next_tag(&value, &weak, &tag) && value.size == 0 && !weak && same_tag(tag, v->etag);
}

/* 1*DIGIT, saturating: a position beyond any file is as good as one past the end. */
static bool next_number(struct sl_text *t, int64_t *out)
{
    size_t digits = 0;

    for (*out = 0; t->size > 0 && t->data[0] >= '0' && t->data[0] <= '9'; digits++) {
        int64_t digit = t->data[0] - '0';

        *out = *out > (INT64_MAX - digit) / 10 ? INT64_MAX : *out * 10 + digit;
        t->data++;
        t->size--;
    }
    return digits > 0;
}

enum sl_range_result sl_range_check(const struct sl_request *r, const struct sl_validators *v,
                                    int64_t now, int64_t size, int64_t *first, int64_t *count)
{
    static const char unit[] = "bytes=";
    struct sl_text t = sl_request_field(r, SL_FIELD_RANGE), spec, more;
    int64_t last = INT64_MAX;

    /* Range is defined for GET only: RFC 9110 14.2 */
    if (r->method != SL_METHOD_GET || t.size < sizeof unit ||
        !sl_text_is((struct sl_text){t.data, sizeof unit - 1}, unit) ||
        !if_range_holds(r, v, now)) {
        return SL_RANGE_WHOLE;
    }
    t.data += sizeof unit - 1;
    t.size -= sizeof unit - 1;
    if (!sl_list_next(&t, &spec) || sl_list_next(&t, &more)) {
        return SL_RANGE_WHOLE;
    }

    if (spec.data[0] == '-') { /* suffix-range: the last so many bytes */
        spec.data++;
        spec.size--;
        if (!next_number(&spec, &last) || spec.size > 0) {
            return SL_RANGE_WHOLE;
        }
        if (last == 0 || size == 0) {
            return SL_RANGE_BEYOND;
        }
        *count = last < size ? last : size;
        *first = size - *count;
        return SL_RANGE_PART;
    }
    if (!next_number(&spec, first) || spec.size == 0 || spec.data[0] != '-') {
        return SL_RANGE_WHOLE;
    }
    spec.data++;
    spec.size--;
    if (spec.size > 0 && (!next_number(&spec, &last) || spec.size > 0 || last < *first)) {
        return SL_RANGE_WHOLE;
    }
    if (*first >= size) {
        return SL_RANGE_BEYOND;
    }
    *count = (last < size ? last + 1 : size) - *first;
    return SL_RANGE_PART;
}
