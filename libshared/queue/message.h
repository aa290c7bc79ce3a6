/* SPDX-License-Identifier: MIT
 * message.h - a task on its way out, as its sender describes it. Private to queue/.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include <shared/queue.h>

#include "queue/envelope.h"

/* What envelope_write needs of it, without queue, reply_to and origin. Times that count from now do so
 * from this call. Borrowed: lives as long as the message stays as it is. */
struct envelope message_envelope(const shared_message *message);

#endif
