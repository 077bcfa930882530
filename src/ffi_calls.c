/* ffi_calls.c: calls of R functions that nothing may jump out of, or that no
 * handler hears of. For R code that runs while Python is on the stack. */
#include <setjmp.h>

#include "ffi.h"

typedef struct {
  SEXP call;
  SEXP env;
} call_of_r;

static SEXP evaluate(void *data) {
  const call_of_r *what = data;
  return Rf_eval(what->call, what->env);
}

static void evaluate_only(void *data) {
  evaluate(data);
}

/* R allows to leave R_UnwindProtect() from here. The jump ends with it. */
static void stop_jump(void *back, Rboolean is_jump) {
  if (is_jump) {
    longjmp(*(jmp_buf *)back, 1);
  }
}

SEXP ffi_call_without_jump(SEXP call, SEXP env) {
  call_of_r what = {call, env};
  jmp_buf back;
  SEXP jump = PROTECT(R_MakeUnwindCont());
  if (setjmp(back) != 0) {
    UNPROTECT(1);
    return Rf_ScalarLogical(FALSE);
  }
  R_UnwindProtect(evaluate, &what, stop_jump, &back, jump);
  UNPROTECT(1);
  return Rf_ScalarLogical(TRUE);
}

SEXP ffi_call_without_handlers(SEXP call, SEXP env) {
  call_of_r what = {call, env};
  return Rf_ScalarLogical(R_ToplevelExec(evaluate_only, &what));
}
