/* SPDX-License-Identifier: MIT
 * scripts.h - what happens in Redis in one step. Keys beside kombu's own:
 *
 *   unacked         hash   claim -> [message, "", queue]        kombu's, so that its workers can restore
 *   unacked_index   zset   claim -> seconds                     kombu's; of ours: when the lease ends
 *   lex:lease       zset   claim -> milliseconds                when the lease ends
 *   lex:live:QUEUE  hash   key -> "task id milliseconds"        things that have a task
 *   lex:lost        hash   SHA-1 of a message -> leases lost; 0: Celery's worker lost it
 *   lex:sweep       hash   last, grace: milliseconds            when somebody last looked for ended leases
 *                          behind: how many of kombu's that look passes over
 *   lex:dead:QUEUE  list   messages that cannot be run, the newest first
 *   lex:dead-why:QUEUE  hash   SHA-1 of such a message -> "milliseconds reason"
 *
 * A claim is named by a random text of its own, "<uuid>/<priority step>", never by the message's
 * delivery tag: senders choose those, and kombu keeps one through a restore, so that a late ack would
 * hit another worker's claim. With names of their own every ack, renewal and restore is fenced: it
 * finds its claim, or it is too late. All times are the server's.
 */
#ifndef QUEUE_SCRIPTS_H
#define QUEUE_SCRIPTS_H

#include "net/redis.h"

#define KEY_LEASE     "lex:lease"
#define KEY_INDEX     "unacked_index"
#define KEY_UNACKED   "unacked"
#define KEY_LOST      "lex:lost"
#define KEY_SWEEP     "lex:sweep"
#define KEY_MUTEX     "unacked_mutex"
#define PREFIX_LIVE   "lex:live:"
#define PREFIX_DEAD   "lex:dead:"
#define PREFIX_META   "celery-task-meta-"
#define PRIORITY_MARK "\x06\x16" /* kombu's `sep` between a queue and its priority step */

enum { PRIORITY_STEPS = 4 }; /* 0, 3, 6, 9: 0 first */

/* keys: queue, live; args: message, key, task id. */
extern const struct script script_send;
/* keys: the four lists, lease, index, unacked, lost, dead; args: lease ms, message size max, dead max,
 * tail of the wrapper, then a uuid for each message wanted. Gives for each claim: its name, the
 * message, its SHA-1 when a lease of it was lost before, else "". An empty name and a size: a message
 * that was too large and is set aside. */
extern const struct script script_claim;
/* keys: lease, index, unacked; args: lease ms, then claims. Gives the positions (from 0) of those lost. */
extern const struct script script_renew;
/* keys: live; args: key, task id. The key still has its task. */
extern const struct script script_mark;
/* keys: lease, index, unacked, live, lost; args: claim, key or "", task id, SHA-1 or "". 1, or 0: lost. */
extern const struct script script_finish;
/* keys: lease, index, unacked, live, list; args: claim, key or "", task id, message. 1, or 0: lost. */
extern const struct script script_retry;
/* keys: lease, index, unacked, live, dead; args: claim, key or "", task id, dead max, reason. 1,
 * or 0: lost. */
extern const struct script script_refuse;
/* keys: lease, index, unacked; args: queue, RPUSH (head) or LPUSH (tail), claims. Gives how many. */
extern const struct script script_hand_back;
/* keys: lease, index, unacked, lost, sweep; args: claims at most, leases lost at most, dead max, gap ms,
 * grace ms. Gives leases ended, then pairs queue and message of those set aside; nothing while holders
 * get time to renew. */
extern const struct script script_sweep;
/* keys: lease, index, unacked, lost, sweep, mutex; args: claims at most, dead max, visibility timeout s.
 * Gives how many messages of Python workers went back. */
extern const struct script script_restore;
/* keys: meta; args: seconds to keep or 0, json, "1": a state before the end, which replaces no end.
 * 1, or 0: left as it was. */
extern const struct script script_store;
/* keys: the four lists, index, dead. Gives waiting, claimed, dead. */
extern const struct script script_stats;
/* keys: live, the four lists. Gives when the oldest message that waits was sent, by its key's mark,
 * milliseconds; 0: that is not known; -1: none waits. */
extern const struct script script_oldest;
/* keys: dead; args: SHA-1 or "": behind which, entries at most, size of a message that is told. Gives for
 * each: SHA-1, "milliseconds reason" or "", size, task id or "", task or "", message or "". "gone": that
 * SHA-1 is not there. */
extern const struct script script_dead;
/* keys: dead, live, the four lists; args: requeue or drop, SHA-1 or task id or "" (the oldest ones),
 * entries at most. Gives how many, and how many are left. */
extern const struct script script_dead_move;

#endif
