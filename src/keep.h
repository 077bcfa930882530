/* keep.h: which generations a policy keeps beside the newest ones.
 *
 * What a generation counts as is its mark: when it was saved, and the value of
 * the log that is watched. The caller reads both from the checkpoint. These are
 * pure functions without access to files.
 */
#ifndef CK_KEEP_H
#define CK_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ck_best {
  CK_BEST_NONE = 0,
  CK_BEST_LOWEST,
  CK_BEST_HIGHEST
} ck_best;

/* Zeroed keeps nothing. */
typedef struct ck_policy {
  double every; /* seconds from one that is kept to the next; 0: none is */
  ck_best best; /* whether the one with the best value is kept */
} ck_policy;

typedef struct ck_mark {
  uint64_t generation;
  double time;  /* seconds, on any clock; NaN: not known */
  double value; /* NaN: it has none */
  bool kept;
} ck_mark;

/* Whether the policy asks for marks at all. */
bool ck_policy_is_set(const ck_policy *policy);

/* The mark with the lowest or highest value, the first of equal ones; NULL if
 * none has a value, or none is asked for. */
ck_mark *ck_best_of(ck_best best, ck_mark *marks, size_t n);

/* Set `kept` of each mark. `marks` has the oldest generation first.
 * Every: the oldest is kept, and each that is so many seconds away from the one
 * kept before it. The clock may have been set back meanwhile. What is kept for
 * this reason stays so, whichever of the others go.
 * Best: the one that ck_best_of() gives, the oldest of equal ones. */
void ck_policy_apply(const ck_policy *policy, ck_mark *marks, size_t n);

#endif
