/* SPDX-License-Identifier: MIT
 * tls.c - the TLS half of a transport, by OpenSSL: verifies chain and name unless told not to. Never
 * waits, never raises SIGPIPE (OpenSSL's own socket BIO would), never asks on the terminal.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/resolver.h"
#include "net/transport.h"

struct tls {
    SSL_CTX *context;
    BIO_METHOD *method;
    bool verify;
};

/* --- a BIO on a descriptor, with MSG_NOSIGNAL ----------------------------------------------------- */
static int socket_result(BIO *bio, ssize_t count, int flags) {
    BIO_clear_retry_flags(bio);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(bio, flags | BIO_FLAGS_SHOULD_RETRY);
    return (int)count;
}

static int socket_read(BIO *bio, char *data, int size) {
    const struct transport *transport = BIO_get_data(bio);
    return socket_result(bio, recv(transport->fd, data, (size_t)size, 0), BIO_FLAGS_READ);
}

static int socket_write(BIO *bio, const char *data, int size) {
    const struct transport *transport = BIO_get_data(bio);
    return socket_result(bio, send(transport->fd, data, (size_t)size, MSG_NOSIGNAL),
                         BIO_FLAGS_WRITE);
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing is held back; all else is not known */
}

static BIO_METHOD *socket_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "shared socket");
    if (!method) return NULL;
    (void)BIO_meth_set_read(method, socket_read);
    (void)BIO_meth_set_write(method, socket_write);
    (void)BIO_meth_set_ctrl(method, socket_control);
    return method;
}

/* --- certificates --------------------------------------------------------------------------------- */
static int password_none(char *out, int size, int writing, void *data) {
    (void)out;
    (void)size;
    (void)writing;
    (void)data;
    return 0; /* OpenSSL would ask on the terminal */
}

/* NULL, or which of the files cannot be used. */
static const char *files_load(SSL_CTX *context, const struct redis_url *url) {
    SSL_CTX_set_default_passwd_cb(context, password_none);
    if (url->ca_file[0]) {
        if (SSL_CTX_load_verify_locations(context, url->ca_file, NULL) != 1) return "ssl_ca_certs";
    } else if (url->verify && SSL_CTX_set_default_verify_paths(context) != 1) {
        return "the system's certificates";
    }
    if (!url->certificate_file[0]) return NULL;
    if (SSL_CTX_use_certificate_chain_file(context, url->certificate_file) != 1)
        return "ssl_certfile";
    const char *key = url->key_file[0] ? url->key_file : url->certificate_file;
    return SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 ? NULL : "ssl_keyfile";
}

static const char *reason_text(void) {
    unsigned long number = ERR_peek_last_error();
    const char *reason = number ? ERR_reason_error_string(number) : NULL;
    return reason ? reason : "unknown reason";
}

struct tls *tls_new(const struct redis_url *url, const char *what, struct shared_error *error) {
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls)
        *tls = (struct tls){.context = SSL_CTX_new(TLS_client_method()), .method = socket_method()};
    if (!tls || !tls->context || !tls->method) {
        error_set(error, SHARED_SYSTEM, SHARED_ENOMEM, "%s: out of memory", what);
        tls_free(tls);
        return NULL;
    }
    tls->verify = url->verify;
    (void)SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(tls->context, url->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    ERR_clear_error();
    const char *bad = files_load(tls->context, url);
    if (!bad) return tls;
    error_set(error, SHARED_REDIS, SHARED_EINVALID, "%s: %s cannot be used: %s", what, bad,
              reason_text());
    ERR_clear_error();
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls) {
    if (!tls) return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

/* --- the stream ----------------------------------------------------------------------------------- */
/* An address is matched with the certificate's addresses; a name with its names, and sent as SNI. */
static bool host_set(SSL *ssl, const char *host) {
    if (lookup_is_numeric(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    char name[256]; /* a copy: OpenSSL's macro takes its const away */
    (void)snprintf(name, sizeof name, "%s", host);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

bool tls_start(struct tls *tls, struct transport *transport, const char *host) {
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = ssl ? BIO_new(tls->method) : NULL;
    if (!bio || !host_set(ssl, host)) {
        BIO_free(bio);
        SSL_free(ssl);
        ERR_clear_error();
        return false;
    }
    BIO_set_data(bio, transport);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    transport->ssl = ssl;
    return true;
}

/* A certificate that is not accepted stays so until somebody acts; a line that was cut does not. */
static int stream_failed(struct transport *transport, int kind, int number, const char *what,
                         struct shared_error *error) {
    long verified = SSL_get_verify_result(transport->ssl);
    if (!SSL_is_init_finished(transport->ssl) && verified != X509_V_OK) {
        error_set(error, SHARED_REDIS, SHARED_EREMOTE, "%s: its certificate is not accepted: %s",
                  what, X509_verify_cert_error_string(verified));
    } else if (kind == SSL_ERROR_SSL && ERR_peek_error() &&
               ERR_GET_REASON(ERR_peek_last_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        error_set(error, SHARED_REDIS, SHARED_EREMOTE, "%s: TLS: %s", what, reason_text());
    } else if (kind == SSL_ERROR_SYSCALL && number != 0) {
        error_set_errno(error, number, what);
        error->domain = SHARED_REDIS;
    } else {
        error_set(error, SHARED_REDIS, SHARED_ECLOSED, "%s: the server closed the connection",
                  what);
    }
    ERR_clear_error();
    return TRANSPORT_FAILED;
}

/* result of an SSL call -> bytes (or 1), AGAIN, FAILED. */
static int stream_result(struct transport *transport, int result, const char *what,
                         struct shared_error *error) {
    int number = errno;
    transport->wants_write = false;
    if (result > 0) return result;
    int kind = SSL_get_error(transport->ssl, result);
    transport->wants_write = kind == SSL_ERROR_WANT_WRITE;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return TRANSPORT_AGAIN;
    return stream_failed(transport, kind, number, what, error);
}

static int stream_size(size_t size) {
    return size > INT32_MAX ? INT32_MAX : (int)size;
}

int tls_handshake(struct transport *transport, const char *what, struct shared_error *error) {
    ERR_clear_error();
    errno = 0;
    return stream_result(transport, SSL_do_handshake(transport->ssl), what, error);
}

ssize_t tls_read(struct transport *transport, void *data, size_t size, const char *what,
                 struct shared_error *error) {
    ERR_clear_error();
    errno = 0;
    int count = SSL_read(transport->ssl, data, stream_size(size));
    return stream_result(transport, count, what, error);
}

ssize_t tls_write(struct transport *transport, const void *data, size_t size, const char *what,
                  struct shared_error *error) {
    ERR_clear_error();
    errno = 0;
    int count = SSL_write(transport->ssl, data, stream_size(size));
    return stream_result(transport, count, what, error);
}

bool tls_holds(const struct transport *transport) {
    return SSL_has_pending(transport->ssl);
}

void tls_finish(struct transport *transport) {
    SSL_free(transport->ssl);
    transport->ssl = NULL;
}
