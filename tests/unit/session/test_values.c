/* SPDX-License-Identifier: MIT
 * test_values.c - values of every type go to the server and come back: as text, as numbers, as bytes, entry
 * by entry, and as JSON; each shows its type.
 */
#include <locale.h>
#include <math.h>

#include "lab.h"

static shared_query *query;

static void ask(const char *sql) {
    shared_query_free(query);
    OK(shared_query_new(0, sql, &query));
}

/* The one row of the statement; valid until the next event. */
static shared_record *row(void) {
    uint64_t tag = tag_next++;
    OK(shared_session_query(session, query, tag));
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_count(event), 1);
    return shared_event_record(event, 0);
}

static void open_with(const char *sql) {
    lab_open();
    ask(sql);
}

static void close_all(void) {
    shared_query_free(query);
    query = NULL;
    lab_close();
}

static void refused(shared_status status, const char *message) {
    ck_assert_int_eq(status, SHARED_EINVALID);
    ck_assert_msg(strstr(shared_error_message(shared_error_last()), message) != NULL, "%s",
                  shared_error_message(shared_error_last()));
}

static uint64_t bits_of(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static uint64_t state = 1;
static uint64_t draw(void) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

/* --- numbers -------------------------------------------------------------------------------------- */

START_TEST(whole_numbers_come_back) {
    static const int64_t edges[] = {
        INT64_MIN,        INT64_MIN + 1,         INT64_MAX, 0, -1, 1, INT32_MIN,
        INT64_C(1) << 53, (INT64_C(1) << 53) + 1};
    enum { EDGES = sizeof edges / sizeof *edges };
    char json[64];
    open_with("SELECT $1::bigint AS n");
    for (int i = 0; i < 200; i++) {
        int64_t number = i < EDGES ? edges[i] : (int64_t)draw();
        OK(shared_query_bind_int(query, 1, number));
        shared_record *got = row();
        ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_INT);
        ck_assert_int_eq(shared_record_int(got, 0), number);
        (void)snprintf(json, sizeof json, "{\"n\":%lld}", (long long)number);
        ck_assert_str_eq(shared_record_json(got), json);
    }
    close_all();
}
END_TEST

static void check_float(double number) {
    OK(shared_query_bind_float(query, 1, number));
    shared_record *got = row();
    double back = shared_record_float(got, 0);
    ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_FLOAT);
    ck_assert_msg(isnan(number) ? isnan(back) : bits_of(back) == bits_of(number), "%a is %a",
                  number, back);
    const char *json = shared_record_json(got);
    ck_assert_int_eq(json[5] == '"', isnan(number) || isinf(number));
}

START_TEST(floats_come_back_bit_by_bit) {
    static const double edges[] = {0.0,       -0.0,          1.0 / 3,  0.1,       5e-324,
                                   -2.2e-308, 1e308,         INFINITY, -INFINITY, NAN,
                                   1e22,      123456789.125, 4.35,     2e-45};
    enum { EDGES = sizeof edges / sizeof *edges };
    open_with("SELECT $1 AS f"); /* brings its type */
    for (int i = 0; i < 300; i++) {
        uint64_t bits = draw();
        double number;
        memcpy(&number, &bits, sizeof number);
        check_float(i < EDGES ? edges[i] : number);
    }
    ask("SELECT 1.5::real, 7::int, '2.50'::numeric, 'x'::text, '0x10'::text, NULL::float8");
    shared_record *got = row();
    static const double expected[] = {1.5, 7, 2.5, 0, 0, 0};
    for (int32_t i = 0; i < 6; i++)
        ck_assert(bits_of(shared_record_float(got, i)) == bits_of(expected[i]));
    close_all();
}
END_TEST

/* The decimal comma of a program's locale changes nothing; where there is none, C has the point. */
START_TEST(floats_do_not_depend_on_the_locale) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C"};
    size_t i = 0;
    while (!setlocale(LC_ALL, names[i])) i++;
    open_with("SELECT $1 AS f");
    check_float(1234.5);
    OK(shared_query_bind_float(query, 1, 0.5));
    ck_assert_str_eq(shared_record_text(row(), 0), "0.5");
    close_all();
}
END_TEST

START_TEST(numerics_of_any_length_come_back) {
    static const char *const texts[] = {
        "0",        "-1.50",     "12345678901234567890.000000001",
        "1e3",      "-0.001",    "NaN",
        "Infinity", "-Infinity", "+5",
        ".5",
    };
    static const char *const backs[] = {
        "0",        "-1.50",     "12345678901234567890.000000001",
        "1000",     "-0.001",    "NaN",
        "Infinity", "-Infinity", "5",
        "0.5",
    };
    static char long_one[1002];
    open_with("SELECT $1 AS n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        OK(shared_query_bind_numeric(query, 1, texts[i]));
        shared_record *got = row();
        ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_NUMERIC);
        ck_assert_str_eq(shared_record_text(got, 0), backs[i]);
    }
    for (int i = 0; i < 1001; i++) long_one[i] = (char)('1' + i % 9);
    long_one[500] = '.';
    OK(shared_query_bind_numeric(query, 1, long_one));
    shared_record *got = row();
    ck_assert_str_eq(shared_record_text(got, 0), long_one);
    ck_assert_int_eq(strncmp(shared_record_json(got) + 5, long_one, 1001), 0); /* {"n":... */
    static const char *const bad[] = {"",     "1.2.3", "abc",   "1e", "--1", " 1", "1 ",
                                      "0x10", "nan",   "1_000", ".",  "e5",  "-"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(shared_query_bind_numeric(query, 1, bad[i]), "is no numeric");
    refused(shared_query_bind_numeric(query, 1, NULL), "is no numeric");
    close_all();
}
END_TEST

START_TEST(booleans_come_back) {
    open_with("SELECT $1 AS b, NOT $1 AS c, NULL::bool AS d, 'true' AS e");
    OK(shared_query_bind_bool(query, 1, 7));
    shared_record *got = row();
    ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_BOOL);
    ck_assert_int_eq(shared_record_bool(got, 0), 1);
    ck_assert_int_eq(shared_record_bool(got, 1), 0);
    ck_assert_int_eq(shared_record_bool(got, 2), 0);
    ck_assert_int_eq(shared_record_bool(got, 3), 0); /* a text */
    ck_assert_str_eq(shared_record_json(got), "{\"b\":true,\"c\":false,\"d\":null,\"e\":\"true\"}");
    OK(shared_query_bind_bool(query, 1, 0));
    ck_assert_int_eq(shared_record_bool(row(), 1), 1);
    close_all();
}
END_TEST

/* --- times ---------------------------------------------------------------------------------------- */

START_TEST(times_come_back_to_the_microsecond) {
    static const int64_t edges[] = {TIME_MIN_US, TIME_MAX_US, 0,         -1,
                                    1,           INT64_MAX,   INT64_MIN, INT64_C(1795514400123456)};
    enum { EDGES = sizeof edges / sizeof *edges };
    open_with("SELECT $1 AS t, $1::timestamp AS u");
    for (int i = 0; i < 300; i++) {
        int64_t time_us =
            i < EDGES ? edges[i] : TIME_MIN_US + (int64_t)(draw() % (uint64_t)(TIME_MAX_US / 2));
        OK(shared_query_bind_time(query, 1, time_us));
        shared_record *got = row();
        ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_TIME);
        ck_assert_int_eq(shared_record_type(got, 1), SHARED_TYPE_TIME);
        ck_assert_int_eq(shared_record_time(got, 0), time_us);
        ck_assert_int_eq(shared_record_time(got, 1), time_us);
    }
    refused(shared_query_bind_time(query, 1, TIME_MIN_US - 1), "years 1 to 9999");
    refused(shared_query_bind_time(query, 1, TIME_MAX_US + 1), "years 1 to 9999");
    close_all();
}
END_TEST

START_TEST(times_of_other_forms_are_read) {
    open_with("SELECT '2026-11-24'::date AS d, '2026-11-24 10:00:00.5'::timestamp AS t,"
              " '2026-11-24 10:00:00+02'::timestamptz AS z, 'infinity'::date AS i,"
              " '0044-03-15 BC'::date AS b");
    shared_record *got = row();
    ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_DATE);
    ck_assert_int_eq(shared_record_time(got, 0), INT64_C(1795478400000000));
    ck_assert_int_eq(shared_record_time(got, 1), INT64_C(1795514400500000));
    ck_assert_int_eq(shared_record_time(got, 2), INT64_C(1795507200000000));
    ck_assert_int_eq(shared_record_time(got, 3), INT64_MAX);
    ck_assert_int_eq(shared_record_time(got, 4), 0);
    ck_assert_str_eq(shared_record_json(got),
                     "{\"d\":\"2026-11-24\",\"t\":\"2026-11-24T10:00:00.500000Z\","
                     "\"z\":\"2026-11-24T08:00:00Z\",\"i\":\"infinity\",\"b\":\"0044-03-15 BC\"}");
    close_all();
}
END_TEST

/* --- UUID and JSON -------------------------------------------------------------------------------- */

START_TEST(uuids_are_of_the_type_that_is_asked_for) {
    static const char uuid[] = "019A1B2C-3d4e-7f80-9abc-def012345678";
    open_with("SELECT $1::uuid AS u, $2::text AS t");
    OK(shared_query_bind_uuid(query, 1, uuid));
    OK(shared_query_bind_uuid(query, 2, uuid));
    shared_record *got = row();
    ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_UUID);
    ck_assert_str_eq(shared_record_text(got, 0), "019a1b2c-3d4e-7f80-9abc-def012345678");
    ck_assert_str_eq(shared_record_text(got, 1), uuid);
    static const char *const bad[] = {"",
                                      "019a1b2c",
                                      "019a1b2c-3d4e-7f80-9abc-def01234567",
                                      "019a1b2c-3d4e-7f80-9abc-def0123456789",
                                      "019a1b2cx3d4e-7f80-9abc-def012345678",
                                      "g19a1b2c-3d4e-7f80-9abc-def012345678"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(shared_query_bind_uuid(query, 1, bad[i]), "is no UUID");
    refused(shared_query_bind_uuid(query, 1, NULL), "is no UUID");
    close_all();
}
END_TEST

START_TEST(json_comes_back_and_is_part_of_json) {
    static const char *const texts[] = {
        "null",
        "1",
        "-1.5e+10",
        "\"a\\\"b\\\\\\u00e9\"",
        "[]",
        "{}",
        "[1, {\"a\": [null, true]}]",
        "{\"n\": 9223372036854775807, \"big\": 123456789012345678901234567890}",
        "\"\xc3\xa9\"",
        "1e400",
    };
    char expected[200];
    open_with("SELECT $1::json AS j, $2::jsonb AS b");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        OK(shared_query_bind_json(query, 1, texts[i], strlen(texts[i])));
        OK(shared_query_bind_null(query, 2));
        shared_record *got = row();
        ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_JSON);
        ck_assert_int_eq(shared_record_type(got, 1), SHARED_TYPE_JSON);
        ck_assert_str_eq(shared_record_text(got, 0), texts[i]);
        (void)snprintf(expected, sizeof expected, "{\"j\":%s,\"b\":null}", texts[i]);
        ck_assert_str_eq(shared_record_json(got), expected);
        OK(shared_query_bind_json(query, 2, texts[i], strlen(texts[i])));
        ck_assert(!shared_record_is_null(row(), 1));
    }
    close_all();
}
END_TEST

START_TEST(json_that_is_none_is_refused) {
    static const char *const bad[] = {"",        "{",           "[1,]",   "{\"a\":1,}", "{a:1}",
                                      "'x'",     "01",          "1.",     "nul",        "[1] 2",
                                      "\"\\x\"", "\"\\u12g4\"", "\"\t\"", "+1"};
    open_with("SELECT $1::jsonb AS b");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(shared_query_bind_json(query, 1, bad[i], strlen(bad[i])), "is not JSON");
    refused(shared_query_bind_json(query, 1, "\"\xff\"", 3), "is not JSON");
    refused(shared_query_bind_json(query, 1, "1\0", 2), "is not JSON");
    refused(shared_query_bind_json(query, 1, NULL, 0), "is not JSON");
    /* Half of a pair is JSON, but no text that a jsonb could hold. */
    OK(shared_query_bind_json(query, 1, "\"\\ud800\"", 8));
    OK(shared_session_query(session, query, 1));
    const shared_error *error = lab_failure(1, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(error), "22P02");
    ck_assert_int_eq(shared_error_class(error), SHARED_PERMANENT);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(error), "invalid input syntax for type json"));
    close_all();
}
END_TEST

/* --- bytes ---------------------------------------------------------------------------------------- */

static void check_bytes(const char *data, size_t size) {
    size_t back_size = 99;
    OK(shared_query_bind_bytes(query, 1, data, size));
    shared_record *got = row();
    ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_BYTES);
    const char *back = shared_record_bytes(got, 0, &back_size);
    ck_assert_ptr_nonnull(back);
    ck_assert_uint_eq(back_size, size);
    ck_assert_int_eq(memcmp(back, data, size), 0);
    ck_assert_ptr_eq(shared_record_bytes(got, 0, NULL), back); /* decoded once */
    ck_assert_int_eq(shared_record_int(got, 1), (int64_t)size);
}

START_TEST(bytes_of_every_kind_come_back) {
    enum { SIZE = 1 << 20 };
    char *data = malloc(SIZE);
    ck_assert_ptr_nonnull(data);
    for (int i = 0; i < SIZE; i++) data[i] = (char)(i ^ (i >> 8));
    open_with("SELECT $1 AS b, length($1) AS n");
    check_bytes(data, SIZE);
    check_bytes(data, 0);
    for (size_t size = 1; size < 40; size++) check_bytes(data + draw() % 1000, size);
    test_run_aside("SELECT 1");
    lab_query("SET bytea_output = escape", 1); /* a server that writes them the old way */
    (void)lab_success(1);
    check_bytes(data, 3000);
    check_bytes("\\\\", 2);
    refused(shared_query_bind_bytes(query, 1, NULL, 1), "data is NULL");
    OK(shared_query_bind_bytes(query, 1, NULL, 0));
    (void)row();
    ask("SELECT NULL::bytea, 'text', '\\x4142'::bytea");
    shared_record *got = row();
    ck_assert_ptr_null(shared_record_bytes(got, 0, NULL));
    ck_assert_ptr_null(shared_record_bytes(got, 1, NULL));
    ck_assert_ptr_null(shared_record_bytes(got, 3, NULL));
    ck_assert_str_eq(shared_record_bytes(got, 2, NULL), "AB");
    free(data);
    close_all();
}
END_TEST

/* --- arrays --------------------------------------------------------------------------------------- */

START_TEST(arrays_of_texts_come_back_entry_by_entry) {
    static const char *const texts[] = {"",         "a",           NULL,       "NULL", "null",
                                        "{}",       "a,b",         "\"",       "\\",   "\\\"{,}\\",
                                        " spaced ", "line\nbreak", "\xc3\xa9", "'"};
    enum { COUNT = sizeof texts / sizeof *texts };
    open_with("SELECT $1::text[] AS a");
    for (size_t from = 0; from < COUNT; from++) {
        OK(shared_query_bind_text_array(query, 1, texts + from, COUNT - from));
        shared_record *got = row();
        ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_TEXT_ARRAY);
        ck_assert_int_eq(shared_record_array_count(got, 0), COUNT - (int)from);
        for (size_t i = from; i < COUNT; i++) {
            size_t size = 99;
            const char *text = shared_record_array_text(got, 0, (int32_t)(i - from), &size);
            ck_assert_int_eq(shared_record_array_is_null(got, 0, (int32_t)(i - from)), !texts[i]);
            ck_assert_msg(texts[i] ? text && !strcmp(text, texts[i]) : !text, "entry %zu", i);
            ck_assert_uint_eq(size, texts[i] ? strlen(texts[i]) : 0);
        }
    }
    OK(shared_query_bind_text_array(query, 1, texts + 1, 5));
    ck_assert_str_eq(shared_record_json(row()), "{\"a\":[\"a\",null,\"NULL\",\"null\",\"{}\"]}");
    close_all();
}
END_TEST

START_TEST(arrays_of_numbers_come_back_entry_by_entry) {
    int64_t numbers[200] = {INT64_MIN, INT64_MAX, 0, -1};
    for (int i = 4; i < 200; i++) numbers[i] = (int64_t)draw();
    open_with("SELECT $1::bigint[] AS a");
    for (size_t count = 0; count <= 200; count += count < 5 ? 1 : 39) {
        OK(shared_query_bind_int_array(query, 1, numbers, count));
        shared_record *got = row();
        ck_assert_int_eq(shared_record_type(got, 0), SHARED_TYPE_INT_ARRAY);
        ck_assert_int_eq(shared_record_array_count(got, 0), (int)count);
        for (size_t i = 0; i < count; i++)
            ck_assert_int_eq(shared_record_array_int(got, 0, (int32_t)i), numbers[i]);
    }
    OK(shared_query_bind_int_array(query, 1, numbers, 2));
    ck_assert_str_eq(shared_record_json(row()),
                     "{\"a\":[-9223372036854775808,9223372036854775807]}");
    close_all();
}
END_TEST

START_TEST(arrays_of_other_shapes_are_read) {
    open_with("SELECT '{{1,2},{3,NULL}}'::int[] AS a, '[2:3]={x,y}'::varchar[] AS b, '{}'::text[],"
              " NULL::text[], 'text', ARRAY[1.5]::numeric[], ARRAY[1,2]::smallint[],"
              " ARRAY['n']::name[]");
    shared_record *got = row();
    static const int counts[] = {4, 2, 0, 0, 0, 0, 2, 1, 0};
    for (int32_t i = 0; i < 9; i++) ck_assert_int_eq(shared_record_array_count(got, i), counts[i]);
    ck_assert_int_eq(shared_record_array_int(got, 0, 2), 3);
    ck_assert(shared_record_array_is_null(got, 0, 3));
    ck_assert_str_eq(shared_record_array_text(got, 1, 1, NULL), "y");
    ck_assert_ptr_null(shared_record_array_text(got, 1, 2, NULL));
    ck_assert_ptr_null(shared_record_array_text(got, 1, -1, NULL));
    ck_assert_int_eq(shared_record_array_int(got, 1, 0), 0);
    ck_assert_int_eq(shared_record_type(got, 5), SHARED_TYPE_OTHER);
    ck_assert_str_eq(shared_record_text(got, 5), "{1.5}");
    close_all();
}
END_TEST

/* --- types ---------------------------------------------------------------------------------------- */

START_TEST(every_column_shows_its_type) {
    static const int32_t expected[] = {
        SHARED_TYPE_TEXT,  SHARED_TYPE_TEXT,  SHARED_TYPE_TEXT,       SHARED_TYPE_INT,
        SHARED_TYPE_INT,   SHARED_TYPE_INT,   SHARED_TYPE_INT,        SHARED_TYPE_FLOAT,
        SHARED_TYPE_FLOAT, SHARED_TYPE_BOOL,  SHARED_TYPE_NUMERIC,    SHARED_TYPE_TIME,
        SHARED_TYPE_TIME,  SHARED_TYPE_DATE,  SHARED_TYPE_UUID,       SHARED_TYPE_JSON,
        SHARED_TYPE_JSON,  SHARED_TYPE_BYTES, SHARED_TYPE_TEXT_ARRAY, SHARED_TYPE_INT_ARRAY,
        SHARED_TYPE_OTHER, SHARED_TYPE_OTHER, SHARED_TYPE_NONE,
    };
    open_with("SELECT NULL::text, 'x'::varchar(3), 'y'::char(2), 1::smallint, 1::int, 1::bigint,"
              " 1::oid, 1::real, 1::float8, true, 1::numeric, now(), now()::timestamp,"
              " now()::date, NULL::uuid, NULL::json, NULL::jsonb, NULL::bytea, NULL::text[],"
              " NULL::int[], '1 day'::interval, '127.0.0.1'::inet");
    shared_record *got = row();
    for (int32_t i = 0; i < (int32_t)(sizeof expected / sizeof *expected); i++)
        ck_assert_msg(shared_record_type(got, i) == expected[i], "column %d: %d", i,
                      shared_record_type(got, i));
    ck_assert_int_eq(shared_record_type(NULL, 0), SHARED_TYPE_NONE);
    lab_add("doc-1");
    (void)lab_commit();
    shared_record *record = lab_stored("doc-1");
    ck_assert_int_eq(shared_record_type(record, SHARED_DOCUMENT_ID), SHARED_TYPE_TEXT);
    ck_assert_int_eq(shared_record_type(record, SHARED_DOCUMENT_ATTEMPT), SHARED_TYPE_INT);
    ck_assert_int_eq(shared_record_type(record, SHARED_DOCUMENT_BYTE_SIZE), SHARED_TYPE_INT);
    ck_assert_int_eq(shared_record_type(record, SHARED_DOCUMENT_CREATED_AT), SHARED_TYPE_TIME);
    ck_assert_int_eq(shared_record_type(record, SHARED_DOCUMENT_EXTRACTION_STATUS),
                     SHARED_TYPE_TEXT);
    ck_assert_int_eq(shared_record_type(record, SHARED_CASE_ID), SHARED_TYPE_NONE);
    ck_assert_ptr_null(shared_record_bytes(record, SHARED_DOCUMENT_ID, NULL));
    ck_assert_int_eq(shared_record_array_count(record, SHARED_DOCUMENT_ID), 0);
    shared_record_unref(record);
    close_all();
}
END_TEST

START_TEST(values_of_a_wrong_place_are_refused) {
    open_with("SELECT $1 AS x");
    for (int32_t place = 0; place <= 2; place += 2) {
        refused(shared_query_bind_float(query, place, 1), "position");
        refused(shared_query_bind_bool(query, place, 1), "position");
        refused(shared_query_bind_numeric(query, place, "1"), "position");
        refused(shared_query_bind_time(query, place, 1), "position");
        refused(shared_query_bind_uuid(query, place, ""), "position");
        refused(shared_query_bind_json(query, place, "1", 1), "position");
        refused(shared_query_bind_bytes(query, place, "1", 1), "position");
    }
    refused(shared_query_bind_float(NULL, 1, 1), "query is NULL");
    /* A value of one type may be followed by one of another. */
    OK(shared_query_bind_bytes(query, 1, "\0", 1));
    OK(shared_query_bind_float(query, 1, 0.5));
    ck_assert_int_eq(shared_record_type(row(), 0), SHARED_TYPE_FLOAT);
    OK(shared_query_bind_bool(query, 1, 1));
    ck_assert_int_eq(shared_record_type(row(), 0), SHARED_TYPE_BOOL);
    OK(shared_query_bind_null(query, 1));
    ck_assert(shared_record_is_null(row(), 0));
    close_all();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        whole_numbers_come_back,
        floats_come_back_bit_by_bit,
        floats_do_not_depend_on_the_locale,
        numerics_of_any_length_come_back,
        booleans_come_back,
        times_come_back_to_the_microsecond,
        times_of_other_forms_are_read,
        uuids_are_of_the_type_that_is_asked_for,
        json_comes_back_and_is_part_of_json,
        json_that_is_none_is_refused,
        bytes_of_every_kind_come_back,
        arrays_of_texts_come_back_entry_by_entry,
        arrays_of_numbers_come_back_entry_by_entry,
        arrays_of_other_shapes_are_read,
        every_column_shows_its_type,
        values_of_a_wrong_place_are_refused,
    };
    return lab_run("values", tests, sizeof tests / sizeof *tests);
}
