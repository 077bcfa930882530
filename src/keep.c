/* keep.c: see keep.h. */
#include "keep.h"

#include <math.h>

bool ck_policy_is_set(const ck_policy *policy) {
  return policy->every > 0 || policy->best != CK_BEST_NONE;
}

static void every_apply(double seconds, ck_mark *marks, size_t n) {
  const ck_mark *last = NULL;
  for (size_t i = 0; i < n; i++) {
    if (isnan(marks[i].time)) {
      continue;
    }
    if (last == NULL || marks[i].time - last->time >= seconds ||
        last->time - marks[i].time >= seconds) {
      marks[i].kept = true;
      last = &marks[i];
    }
  }
}

ck_mark *ck_best_of(ck_best best, ck_mark *marks, size_t n) {
  ck_mark *found = NULL;
  for (size_t i = 0; i < n && best != CK_BEST_NONE; i++) {
    double value = marks[i].value;
    if (isnan(value)) {
      continue;
    }
    if (found == NULL || (best == CK_BEST_LOWEST ? value < found->value
                                                 : value > found->value)) {
      found = &marks[i];
    }
  }
  return found;
}

void ck_policy_apply(const ck_policy *policy, ck_mark *marks, size_t n) {
  ck_mark *best = ck_best_of(policy->best, marks, n);
  for (size_t i = 0; i < n; i++) {
    marks[i].kept = false;
  }
  if (policy->every > 0) {
    every_apply(policy->every, marks, n);
  }
  if (best != NULL) {
    best->kept = true;
  }
}
