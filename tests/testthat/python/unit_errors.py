"""errors.py: each exception has its class of R conditions, and back."""

import unittest

from kerasbackup.store import errors

CLASSES = {
    "kerasbackup_error_argument": errors.ArgumentError,
    "kerasbackup_error_io": errors.StorageError,
    "kerasbackup_error_corrupt": errors.CorruptError,
    "kerasbackup_error_locked": errors.LockedError,
    "kerasbackup_error_mismatch": errors.MismatchError,
    "kerasbackup_error_unsupported": errors.UnsupportedError,
    "kerasbackup_error": errors.KerasBackupError,
}


class Classes(unittest.TestCase):
    def test_each_of_r_has_an_exception(self):
        self.assertEqual(errors.BY_R_CLASS, CLASSES)

    def test_each_exception_has_one_of_r(self):
        for name, exception in CLASSES.items():
            with self.subTest(name=name):
                self.assertEqual(errors.r_class(exception("why")), name)

    def test_a_subclass_has_that_of_its_base(self):
        class Full(errors.StorageError):
            pass

        self.assertEqual(errors.r_class(Full("why")), "kerasbackup_error_io")


class Damage(unittest.TestCase):
    def test_it_names_the_file_and_the_reason(self):
        error = errors.corrupt("a/file", "no header")
        self.assertIsInstance(error, errors.CorruptError)
        self.assertIn("a/file", str(error))
        self.assertIn("no header", str(error))
