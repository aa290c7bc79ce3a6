/* SPDX-License-Identifier: MIT
 * turns.h - a run in which nothing is left to chance: who does the next thing, and what else happens, is a word.
 */
#ifndef TURNS_H
#define TURNS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * a b c   that worker does the next thing that others can see: takes the task, claims the row, stores a batch of pages,
 *         publishes or says why not, lets the task go. It stands still before and behind.
 * A B C   that worker renews its lease, and does nothing else
 * p       7 of the 10 seconds of a lease go by; who looks for ended leases does
 * P       time goes by until a lease has ended and its task is back in the queue, or 16 s
 * d       a user deletes the document
 * r       a user has it read again
 */
struct turns_result {
    char effective[32]; /* the word without what changed nothing */
    int64_t end_us;
    bool deleted, completed;
};
/* Plays the word, lets all go on, and ends the program when something does not hold. */
struct turns_result turns_run(const char *word);

/* clerk.c: the user's process. */
struct process;
void clerk_act(struct process *process, char what);
bool clerk_is_idle(const struct process *process);

#endif
