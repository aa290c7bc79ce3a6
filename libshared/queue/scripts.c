/* SPDX-License-Identifier: MIT
 * scripts.c - what happens in Redis in one step, as Lua. Messages are moved as the text they came in
 * and never encoded again: cjson would change large numbers.
 */
#include "queue/scripts.h"

/* Milliseconds of the server's clock, whole, as text and number: %.14g of a number is exact here. */
#define LUA_NOW                                                                                    \
    "local time = redis.call('TIME')\n"                                                            \
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"

/* A claim as kombu sees it: its score is the end of the lease, so that however small a visibility
 * timeout Python workers have, they restore only what its holder no longer renews. Whole seconds, the
 * next one: Redis compares integers in a small sorted set, but parses each fraction again. */
#define LUA_LEASE                                                                                  \
    "local function lease(claim, ms)\n"                                                            \
    "  redis.call('ZADD', KEYS[lease_at], now + ms, claim)\n"                                      \
    "  redis.call('ZADD', KEYS[lease_at + 1], math.ceil((now + ms) / 1000), claim)\n"              \
    "end\n"

/* keys 1-3: lease, index, unacked. False when the claim is no longer there. */
#define LUA_RELEASE                                                                                \
    "local function release(claim)\n"                                                              \
    "  redis.call('ZREM', KEYS[1], claim)\n"                                                       \
    "  redis.call('ZREM', KEYS[2], claim)\n"                                                       \
    "  return redis.call('HDEL', KEYS[3], claim) == 1\n"                                           \
    "end\n"

/* The key's mark goes, unless it is already another task's. */
#define LUA_UNMARK                                                                                 \
    "local function unmark(live, key, id)\n"                                                       \
    "  if key == '' then return end\n"                                                             \
    "  local mark = redis.call('HGET', live, key)\n"                                               \
    "  if mark and string.sub(mark, 1, #id + 1) == id .. ' ' then redis.call('HDEL', live, key) "  \
    "end\n"                                                                                        \
    "end\n"

/* The list a claim came from. */
#define LUA_LIST                                                                                   \
    "local function list_of(queue, claim)\n"                                                       \
    "  local step = string.match(claim, '/([369])$')\n"                                            \
    "  return step and queue .. '\\6\\22' .. step or queue\n"                                      \
    "end\n"

/* Behind LUA_NOW. The same bytes are one entry: their SHA-1 is its name. */
#define LUA_DEAD                                                                                   \
    "local function set_aside(list, message, most, reason)\n"                                      \
    "  local why, sha = 'lex:dead-why:' .. string.sub(list, 10), redis.sha1hex(message)\n"         \
    "  if redis.call('HEXISTS', why, sha) == 1 then redis.call('LREM', list, 0, message) end\n"    \
    "  if redis.call('LPUSH', list, message) == 1 then redis.call('DEL', why) end\n"               \
    "  redis.call('HSET', why, sha, string.format('%d ', now) .. reason)\n"                        \
    "  for _ = 1, 1000 do\n"                                                                       \
    "    if redis.call('LLEN', list) <= tonumber(most) then break end\n"                           \
    "    redis.call('HDEL', why, redis.sha1hex(redis.call('RPOP', list)))\n"                       \
    "  end\n"                                                                                      \
    "end\n"

/* A message's headers and properties, empty ones when it has none; only to look at. */
#define LUA_READ                                                                                   \
    "local function part(message, name)\n"                                                         \
    "  local good, parsed = pcall(cjson.decode, message)\n"                                        \
    "  local value = good and type(parsed) == 'table' and parsed[name]\n"                          \
    "  return type(value) == 'table' and value or {}\n"                                            \
    "end\n"                                                                                        \
    "local function text(value) return type(value) == 'string' and value or '' end\n"

/* Notes in lex:lost that a message's holder was lost. */
#define LUA_LOST                                                                                   \
    "local function note_lost(command, sha, count)\n"                                              \
    "  if redis.call('HLEN', KEYS[4]) > 10000 then redis.call('DEL', KEYS[4]) end\n"               \
    "  local lost = redis.call(command, KEYS[4], sha, count)\n"                                    \
    "  redis.call('EXPIRE', KEYS[4], 86400)\n"                                                     \
    "  return lost\n"                                                                              \
    "end\n"

/* The queue that a message of kombu's came from, by its exchange and routing key, which are JSON text. nil
 * when that is kombu's to know: a topic binding matches by its pattern, and of two bindings with one key
 * either may be meant. */
#define LUA_QUEUE_OF                                                                               \
    "local function queue_of(exchange, key)\n"                                                     \
    "  local good, names = pcall(cjson.decode, '[\"' .. exchange .. '\", \"' .. key .. '\"]')\n"   \
    "  if not good then return end\n"                                                              \
    "  exchange, key = names[1], names[2]\n"                                                       \
    "  if exchange == '' then return key end\n"                                                    \
    "  local found\n"                                                                              \
    "  for _, member in ipairs(redis.call('SMEMBERS', '_kombu.binding.' .. exchange)) do\n"        \
    "    local bound, queue = string.match(member, '^(.-)\\6\\22.-\\6\\22(.*)$')\n"                \
    "    if bound == key and not found then\n"                                                     \
    "      found = queue\n"                                                                        \
    "    elseif bound and (bound == key or string.find(bound, '[*#]')) then\n"                     \
    "      return\n"                                                                               \
    "    end\n"                                                                                    \
    "  end\n"                                                                                      \
    "  return found\n"                                                                             \
    "end\n"

const struct script script_send = {
    .name = "send",
    .text =
        LUA_NOW "redis.call('LPUSH', KEYS[1], ARGV[1])\n"
                "redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. string.format('%d', now))\n"
                "return 1\n"};

/* The leases of many are one command. Before anything that can fail (a list of another type), what was
 * taken so far is kept: an error then loses nothing. */
const struct script script_claim = {
    .name = "claim",
    .text = LUA_NOW LUA_DEAD
    "local steps = {'0', '3', '6', '9'}\n"
    "local until_ms = now + ARGV[1]\n"
    "local until_s = math.ceil(until_ms / 1000)\n"
    "local leases, index, unacked = {}, {}, {}\n"
    "local function keep()\n"
    "  if #leases == 0 then return end\n"
    "  redis.call('ZADD', KEYS[5], unpack(leases))\n"
    "  redis.call('ZADD', KEYS[6], unpack(index))\n"
    "  redis.call('HSET', KEYS[7], unpack(unacked))\n"
    "  leases, index, unacked = {}, {}, {}\n"
    "end\n"
    "local function add(to, name, value)\n"
    "  to[#to + 1] = name\n"
    "  to[#to + 1] = value\n"
    "end\n"
    "local found, list, wanted = {}, 1, 5\n"
    "while wanted <= #ARGV and list <= 4 do\n"
    "  local message = redis.call('RPOP', KEYS[list])\n"
    "  if not message then\n"
    "    keep()\n"
    "    list = list + 1\n"
    "  elseif #message > tonumber(ARGV[2]) then\n"
    "    keep()\n"
    "    set_aside(KEYS[9], message, ARGV[3],\n"
    "        #message .. ' bytes, at most ' .. ARGV[2])\n"
    "    add(found, '', tostring(#message))\n"
    "    found[#found + 1] = ''\n"
    "    wanted = wanted + 1\n"
    "  else\n"
    "    local claim = ARGV[wanted] .. '/' .. steps[list]\n"
    "    add(leases, until_ms, claim)\n"
    "    add(index, until_s, claim)\n"
    "    add(unacked, claim, '[' .. message .. ARGV[4])\n"
    "    add(found, claim, message)\n"
    "    found[#found + 1] = ''\n"
    "    wanted = wanted + 1\n"
    "  end\n"
    "end\n"
    "keep()\n"
    "if redis.call('EXISTS', KEYS[8]) == 1 then\n"
    "  for i = 1, #found, 3 do\n"
    "    local sha = found[i] ~= '' and redis.sha1hex(found[i + 1])\n"
    "    if sha and redis.call('HEXISTS', KEYS[8], sha) == 1 then found[i + 2] = sha end\n"
    "  end\n"
    "end\n"
    "return found\n"};

const struct script script_renew = {.name = "renew",
                                    .text = LUA_NOW
                                    "local lease_at = 1\n" LUA_LEASE "local lost = {}\n"
                                    "for i = 2, #ARGV do\n"
                                    "  if redis.call('HEXISTS', KEYS[3], ARGV[i]) == 1 then\n"
                                    "    lease(ARGV[i], ARGV[1])\n"
                                    "  else\n"
                                    "    redis.call('ZREM', KEYS[1], ARGV[i])\n"
                                    "    redis.call('ZREM', KEYS[2], ARGV[i])\n"
                                    "    lost[#lost + 1] = i - 2\n"
                                    "  end\n"
                                    "end\n"
                                    "return lost\n"};

const struct script script_mark = {
    .name = "mark",
    .text = LUA_NOW
    "local mark = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "if mark and string.sub(mark, 1, #ARGV[2] + 1) ~= ARGV[2] .. ' ' then return 0 end\n"
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%d', now))\n"
    "return 1\n"};

const struct script script_finish = {
    .name = "finish",
    .text =
        LUA_RELEASE LUA_UNMARK "if not release(ARGV[1]) then return 0 end\n"
                               "unmark(KEYS[4], ARGV[2], ARGV[3])\n"
                               "if ARGV[4] ~= '' then redis.call('HDEL', KEYS[5], ARGV[4]) end\n"
                               "return 1\n"};

const struct script script_retry = {
    .name = "retry",
    .text = LUA_NOW LUA_RELEASE
    "if not release(ARGV[1]) then return 0 end\n"
    "redis.call('LPUSH', KEYS[5], ARGV[4])\n"
    "if ARGV[2] ~= '' then\n"
    "  redis.call('HSET', KEYS[4], ARGV[2], ARGV[3] .. ' ' .. string.format('%d', now))\n"
    "end\n"
    "return 1\n"};

const struct script script_refuse = {
    .name = "refuse",
    .text = LUA_NOW LUA_RELEASE LUA_UNMARK LUA_DEAD
    "local kept = redis.call('HGET', KEYS[3], ARGV[1])\n"
    "if not release(ARGV[1]) then return 0 end\n"
    "local message = string.match(kept, '^%[(.*), \"\", \"[^\"]*\"%]$')\n"
    "set_aside(KEYS[5], message, ARGV[4], ARGV[5])\n"
    "unmark(KEYS[4], ARGV[2], ARGV[3])\n"
    "return 1\n"};

const struct script script_hand_back = {
    .name = "hand_back",
    .text = LUA_RELEASE LUA_LIST
    "local count = 0\n"
    "for i = 3, #ARGV do\n"
    "  local kept = redis.call('HGET', KEYS[3], ARGV[i])\n"
    "  if release(ARGV[i]) then\n"
    "    local message = string.match(kept, '^%[(.*), \"\", \"[^\"]*\"%]$')\n"
    "    redis.call(ARGV[2], list_of(ARGV[1], ARGV[i]), message)\n"
    "    count = count + 1\n"
    "  end\n"
    "end\n"
    "return count\n"};

/* Claims of ours end with their lease. When nobody swept for a while (`gap`), Redis or all of us were away,
 * and holders first get the time to renew (`grace`). What was lost too often goes to the dead list instead
 * of round for ever. */
const struct script script_sweep = {
    .name = "sweep",
    .text = LUA_NOW LUA_RELEASE LUA_LIST LUA_DEAD LUA_LOST
    "local lease_at = 1\n" LUA_LEASE
    "local last = tonumber(redis.call('HGET', KEYS[5], 'last') or 0)\n"
    "redis.call('HSET', KEYS[5], 'last', now)\n"
    "if now - last > tonumber(ARGV[4]) or last > now then\n"
    "  redis.call('HSET', KEYS[5], 'grace', now + ARGV[5])\n"
    "end\n"
    /* The clock was set back: what it gave before would last that much longer. */
    "if last > now then\n"
    "  local most = string.format('(%d', now + 2 * ARGV[5])\n"
    "  for _, claim in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], most, '+inf')) do\n"
    "    lease(claim, 2 * ARGV[5])\n"
    "  end\n"
    "end\n"
    "local grace = tonumber(redis.call('HGET', KEYS[5], 'grace') or 0)\n"
    "if now < grace and grace <= now + ARGV[5] then return {} end\n"

    "local result = {0}\n"
    "local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])\n"
    "for i = #ended, 1, -1 do\n" /* the oldest last: it comes to the head */
    "  local kept = redis.call('HGET', KEYS[3], ended[i])\n"
    "  if release(ended[i]) then\n"
    "    local message, queue = string.match(kept, '^%[(.*), \"\", \"([^\"]*)\"%]$')\n"
    "    local sha = redis.sha1hex(message)\n"
    "    local lost = note_lost('HINCRBY', sha, 1)\n"
    "    if lost >= tonumber(ARGV[2]) then\n"
    "      redis.call('HDEL', KEYS[4], sha)\n"
    "      set_aside('lex:dead:' .. queue, message, ARGV[3],\n"
    "          lost .. ' workers died while they had it')\n"
    "      result[#result + 1] = queue\n"
    "      result[#result + 1] = message\n"
    "    else\n"
    "      redis.call('RPUSH', list_of(queue, ended[i]), message)\n"
    "    end\n"
    "    result[1] = result[1] + 1\n"
    "  end\n"
    "end\n"
    "return result\n"};

/* Claims of Python workers end by kombu's visibility timeout. What only kombu can restore stays: the next
 * time the look begins `behind` it, and after the last one with the first again. The bytes do not say, as
 * kombu's own restore has it, that it may have run: lex:lost does, without counting a lost lease. */
const struct script script_restore = {
    .name = "restore",
    .text = LUA_NOW LUA_RELEASE LUA_LIST LUA_DEAD LUA_LOST LUA_QUEUE_OF
    /* A Python worker that holds the mutex is at it. */
    "if redis.call('EXISTS', KEYS[6]) == 1 then return 0 end\n"
    "local until_s = string.format('%.3f', now / 1000 - ARGV[3])\n"
    "local behind = tonumber(redis.call('HGET', KEYS[5], 'behind') or 0)\n"
    "local old =\n"
    "    redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', until_s, 'LIMIT', behind, ARGV[1])\n"
    "local stay, restored = 0, 0\n"
    "for i = #old, 1, -1 do\n"
    "  local kept = redis.call('HGET', KEYS[3], old[i]) or ''\n"
    "  local message, exchange, key =\n"
    "      string.match(kept, '^%[(.*), \"([^\"]*)\", \"([^\"]*)\"%]$')\n"
    "  local queue = message and queue_of(exchange, key)\n"
    "  if message and not queue then\n"
    "    stay = stay + 1\n"
    "  elseif release(old[i]) and message then\n"
    "    local good, parsed = pcall(cjson.decode, message)\n"
    "    local properties = good and type(parsed) == 'table' and parsed.properties\n"
    "    local priority = type(properties) == 'table' and tonumber(properties.priority) or 0\n"
    "    local step = math.floor(math.min(math.max(priority, 0), 9) / 3) * 3\n"
    "    note_lost('HSETNX', redis.sha1hex(message), 0)\n"
    "    redis.call('RPUSH', list_of(queue, '/' .. step), message)\n"
    "    restored = restored + 1\n"
    "  elseif kept ~= '' then\n"
    "    set_aside('lex:dead:unacked', kept, ARGV[2], 'no message of kombu')\n"
    "  end\n"
    "end\n"
    "behind = #old == tonumber(ARGV[1]) and behind + stay or 0\n"
    "redis.call('HSET', KEYS[5], 'behind', behind)\n"
    "return restored\n"};

const struct script script_store = {
    .name = "store",
    /* Most have no result yet: one command for them. */
    .text =
        "local function set(...)\n"
        "  if ARGV[1] == '0' then return redis.call('SET', KEYS[1], ARGV[2], ...) end\n"
        "  return redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1], ...)\n"
        "end\n"
        "if not set('NX') then\n"
        "  local old = redis.call('GET', KEYS[1])\n"
        "  local status = old and string.match(old, '^{\"status\": *\"(%u+)\"')\n"
        "  if status == 'SUCCESS' then return 0 end\n"
        "  if ARGV[3] == '1' and (status == 'FAILURE' or status == 'REVOKED') then return 0 end\n"
        "  set()\n"
        "end\n"
        "redis.call('PUBLISH', KEYS[1], ARGV[2])\n"
        "return 1\n"};

const struct script script_stats = {
    .name = "stats",
    .text = "local waiting = 0\n"
            "for i = 1, 4 do waiting = waiting + redis.call('LLEN', KEYS[i]) end\n"
            "return {waiting, redis.call('ZCARD', KEYS[5]), redis.call('LLEN', KEYS[6])}\n"};

/* A message that is large, or of a sender who leaves no mark, does not say: 0. */
const struct script script_oldest = {
    .name = "oldest",
    .text =
        LUA_READ "local function sent_ms(message)\n"
                 "  local headers = #message <= 1048576 and part(message, 'headers') or {}\n"
                 "  local key, id = text(headers.lex_key), text(headers.id)\n"
                 "  local mark = redis.call('HGET', KEYS[1], key) or ''\n"
                 "  return string.sub(mark, 1, #id + 1) == id .. ' ' and tonumber(string.sub(mark, "
                 "#id + 2)) or 0\n"
                 "end\n"
                 "local oldest\n"
                 "for list = 2, #KEYS do\n"
                 "  local message = redis.call('LINDEX', KEYS[list], -1)\n"
                 "  if message then oldest = math.min(oldest or math.huge, sent_ms(message)) end\n"
                 "end\n"
                 "return oldest or -1\n"};

const struct script script_dead = {
    .name = "dead",
    .text = LUA_READ "local why = 'lex:dead-why:' .. string.sub(KEYS[1], 10)\n"
                     "local found, wanted, at = {}, ARGV[1] == '', 0\n"
                     "while true do\n"
                     "  local messages = redis.call('LRANGE', KEYS[1], at, at + 9)\n"
                     "  for _, message in ipairs(messages) do\n"
                     "    local sha = redis.sha1hex(message)\n"
                     "    if wanted then\n"
                     "      local headers = part(message, 'headers')\n"
                     "      found[#found + 1] = sha\n"
                     "      found[#found + 1] = redis.call('HGET', why, sha) or ''\n"
                     "      found[#found + 1] = #message\n"
                     "      found[#found + 1] = text(headers.id)\n"
                     "      found[#found + 1] = text(headers.task)\n"
                     "      found[#found + 1] = #message <= tonumber(ARGV[3]) and message or ''\n"
                     "      if #found >= 6 * ARGV[2] then return found end\n"
                     "    elseif sha == ARGV[1] then\n"
                     "      wanted = true\n"
                     "    end\n"
                     "  end\n"
                     "  if #messages < 10 then return wanted and found or {'gone'} end\n"
                     "  at = at + 10\n"
                     "end\n"};

/* First into the queue, then off the list: whatever fails in between, the message is somewhere. */
const struct script script_dead_move = {
    .name = "dead_move",
    .text = LUA_NOW LUA_READ
    "local why = 'lex:dead-why:' .. string.sub(KEYS[1], 10)\n"
    "local function move(message)\n"
    "  redis.call('HDEL', why, redis.sha1hex(message))\n"
    "  if ARGV[1] == 'drop' then return end\n"
    "  local priority = tonumber(part(message, 'properties').priority) or 0\n"
    "  local step = math.floor(math.min(math.max(priority, 0), 9) / 3)\n"
    "  redis.call('LPUSH', KEYS[3 + step] or KEYS[3], message)\n"
    "  local headers = part(message, 'headers')\n"
    "  local key, id = text(headers.lex_key), text(headers.id)\n"
    "  if key ~= '' and id ~= '' then\n"
    "    redis.call('HSET', KEYS[2], key, id .. ' ' .. string.format('%d', now))\n"
    "  end\n"
    "end\n"
    "local is_plain = not string.find(ARGV[2], '[^%w._:-]')\n"
    "local function is_wanted(message)\n"
    "  if redis.sha1hex(message) == ARGV[2] then return true end\n"
    /* JSON has more than one form of an id that is not plain; a plain one is looked for first. */
    "  return (not is_plain or string.find(message, ARGV[2], 1, true)) and\n"
    "      part(message, 'headers').id == ARGV[2]\n"
    "end\n"

    "local count, at = 0, 0\n"
    "while ARGV[2] == '' and count < tonumber(ARGV[3]) do\n"
    "  local message = redis.call('LINDEX', KEYS[1], -1)\n"
    "  if not message then break end\n"
    "  move(message)\n"
    "  redis.call('RPOP', KEYS[1])\n"
    "  count = count + 1\n"
    "end\n"
    "while ARGV[2] ~= '' do\n"
    "  local messages = redis.call('LRANGE', KEYS[1], at, at + 9)\n"
    "  for _, message in ipairs(messages) do\n"
    "    if is_wanted(message) then\n"
    "      move(message)\n"
    "      redis.call('LREM', KEYS[1], 0, message)\n"
    "      return {1, redis.call('LLEN', KEYS[1])}\n"
    "    end\n"
    "  end\n"
    "  if #messages < 10 then break end\n"
    "  at = at + 10\n"
    "end\n"
    "return {count, redis.call('LLEN', KEYS[1])}\n"};
