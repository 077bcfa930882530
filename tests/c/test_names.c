/* The names of our files: exactly ours, or foreign (I7). */
#include <stddef.h>
#include <string.h>

#include "names.h"
#include "tap.h"

int main(void) {
  static const char *const foreign[] = {
      "",
      "backup-",
      "backup-00000000001.safetensors",
      "backup-0000000000001.safetensors",
      "backup-000000000000.safetensors",
      "backup-00000000001x.safetensors",
      "backup--00000000001.safetensors",
      "backup- 00000000001.safetensors",
      "backup-000000000001",
      "backup-000000000001.safetensor",
      "backup-000000000001.safetensors.bak",
      "backup-000000000001.safetensors~",
      "backup-000000000001.SAFETENSORS",
      "Backup-000000000001.safetensors",
      " backup-000000000001.safetensors",
      "backup-000000000001.tmp",
      "backup-000000000001.-0123456789abcdef.tmp",
      "backup-000000000001.x-0123456789abcdef.tmp",
      "backup-000000000001.0-0123456789abcdef.tmp",
      "backup-000000000001.012-0123456789abcdef.tmp",
      "backup-000000000001.12345678901-0123456789abcdef.tmp",
      "backup-000000000001-12-0123456789abcdef.tmp",
      "backup-000000000001.12-0123456789abcde.tmp",
      "backup-000000000001.12-0123456789abcdef0.tmp",
      "backup-000000000001.12-0123456789ABCDEF.tmp",
      "backup-000000000001.12-0123456789abcdeg.tmp",
      "backup-000000000001.12_0123456789abcdef.tmp",
      "backup-000000000001.12-0123456789abcdef.tmp2",
      "backup-000000000001.12-0123456789abcdef",
  };
  ck_name name;
  char text[CK_NAME_CAP];
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    ok(ck_name_parse(foreign[i]).kind == CK_NAME_FOREIGN,
       "I7: \"%s\" is not ours", foreign[i]);
  }
  name = ck_name_parse("backup-000000000042.safetensors");
  ck_name_format(text, &name);
  ok(name.kind == CK_NAME_COMMITTED && name.generation == 42 &&
         strcmp(text, "backup-000000000042.safetensors") == 0,
     "a committed name is read and written");
  name = ck_name_parse("backup-999999999999.safetensors");
  ok(name.generation == CK_GENERATION_MAX, "so is the last");
  name = ck_name_parse("backup-000000000042.4194304-0123456789abcdef.tmp");
  ck_name_format(text, &name);
  ok(name.kind == CK_NAME_TEMP && name.generation == 42 &&
         name.pid == 4194304 && name.nonce == UINT64_C(0x0123456789abcdef) &&
         strcmp(text, "backup-000000000042.4194304-0123456789abcdef.tmp") == 0,
     "a temporary name is read and written");
  ok(strcmp(ck_name_of_path("/a/b"), "b") == 0 &&
         strcmp(ck_name_of_path("c:\\a\\b"), "b") == 0 &&
         strcmp(ck_name_of_path("b"), "b") == 0,
     "the last component of a path");
  return done();
}
