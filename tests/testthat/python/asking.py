"""For tests in which several Kerases could be asked."""

import sys
import unittest
from unittest import mock

from kerasbackup.anykeras import ask
from kerasbackup.anykeras import nested


def refuse_none() -> None:
    """For `setUpModule()`: nobody asks about `None`. Where a process has
    imported two Kerases, the one that is asked depends on the object. Only what
    is nested may be nothing."""
    folder_of = ask.folder_of

    def checked(one):
        asked = sys._getframe(1).f_locals
        is_nested = asked["module"] == nested.__name__ or (
            asked["name"] == "leaves"
        )
        if one is None and not is_nested:
            raise AssertionError(f"a Keras was asked for {asked['name']}(None)")
        return folder_of(one)

    patch = mock.patch.object(ask, "folder_of", checked)
    patch.start()
    unittest.addModuleCleanup(patch.stop)
