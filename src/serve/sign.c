/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sha256.h"
#include "serve/path.h"
#include "serve/query.h"

#define SIGNATURE 16 /* bytes */

enum sl_status sl_sign_key_read(struct sl_sign_key *key, const char *path, struct sl_error *err)
{
    uint8_t bytes[SL_SIGN_KEY_MAX + 64];
    enum sl_status status = SL_OK;
    size_t size = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return sl_fail_errno(err, errno, path, "cannot read the key");
    }
    while (n > 0 && size < sizeof bytes) {
        n = read(fd, bytes + size, sizeof bytes - size);
        if (n < 0 && errno != EINTR) {
            status = sl_fail_errno(err, errno, path, "cannot read the key");
        }
        size += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    while (size > 0 && bytes[size - 1] != 0 && strchr(" \t\r\n", bytes[size - 1])) {
        size--;
    }
    if (status == SL_OK && (size < SL_SIGN_KEY_LEAST || size > SL_SIGN_KEY_MAX)) {
        status = sl_fail(err, SL_EINVAL, path, "a key of %d to %d bytes is expected",
                         SL_SIGN_KEY_LEAST, SL_SIGN_KEY_MAX);
    }
    if (status == SL_OK) {
        key->size = size;
        memcpy(key->bytes, bytes, size);
    }
    return status;
}

/* scope ends with "/" where it is a directory, so nobody can turn one into the other. */
static bool make(const struct sl_sign_key *key, const char *scope, int64_t expires,
                 const char *address, char hex[SIGNATURE * 2 + 1])
{
    uint8_t digest[SL_SHA256_SIZE];
    struct sl_writer text;
    bool ok;

    sl_writer_init(&text, SL_SIGN_QUERY_MAX);
    sl_write_format(&text, "sluice link 1\n%s\n%" PRId64 "\n%s", scope, expires,
                    address ? address : "*");
    ok = text.status == SL_OK;
    if (ok) {
        sl_hmac_sha256(key->bytes, key->size, text.data, text.size, digest);
        sl_sha256_hex(digest, SIGNATURE, hex);
    }
    sl_writer_clear(&text);
    return ok;
}

void sl_sign_query(const struct sl_sign_key *key, const char *path, const char *scope,
                   int64_t expires, const char *address, struct sl_writer *out)
{
    char hex[SIGNATURE * 2 + 1] = "";

    if (!make(key, scope ? scope : path, expires, address, hex)) {
        out->status = SL_ENOMEM;
        return;
    }
    if (scope) {
        sl_write_text(out, "in=");
        sl_query_encode(out, scope);
        sl_write_text(out, "&");
    }
    sl_write_format(out, "exp=%" PRId64 "%s&sig=%s", expires, address ? "&ip=1" : "", hex);
}

int sl_sign_check(const struct sl_sign_key *key, const char *path, struct sl_text query,
                  const char *address, int64_t now)
{
    char scope[SL_SERVE_PATH_MAX], given[SIGNATURE * 2 + 1], made[SIGNATURE * 2 + 1] = "", ip[2];
    int have_scope = sl_query_get(query, "in", scope, sizeof scope);
    int have_ip = sl_query_get(query, "ip", ip, sizeof ip);
    int64_t expires = 0;
    size_t length;

    if (have_scope < 0 || have_ip < 0 || (have_ip == 1 && strcmp(ip, "1") != 0) ||
        sl_query_number(query, "exp", &expires) != 1 ||
        sl_query_get(query, "sig", given, sizeof given) != 1 || strlen(given) != sizeof given - 1) {
        return 403;
    }
    if (have_scope == 1) {
        length = strlen(scope);
        if (length == 0 || scope[0] != '/' || scope[length - 1] != '/' ||
            strncmp(path, scope, length) != 0) {
            return 403;
        }
    }
    if (!make(key, have_scope == 1 ? scope : path, expires, have_ip == 1 ? address : NULL, made) ||
        !sl_equal_secret(made, given, sizeof made - 1)) {
        return 403;
    }
    /* Only who has a true link is told that it was one. */
    return expires < now ? 410 : 0;
}

void sl_sign_carry(struct sl_text query, struct sl_writer *out)
{
    static const char *const names[] = {"in", "exp", "ip", "sig"};
    struct sl_text name, value, all = query;
    char scope[SL_SERVE_PATH_MAX];
    const char *joint = "";

    if (sl_query_get(query, "in", scope, sizeof scope) != 1) {
        return;
    }
    while (sl_query_next(&all, &name, &value)) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (name.size == strlen(names[i]) && memcmp(name.data, names[i], name.size) == 0) {
                sl_write_format(out, "%s%s=", joint, names[i]);
                sl_write_bytes(out, value.data, value.size);
                joint = "&";
            }
        }
    }
}
