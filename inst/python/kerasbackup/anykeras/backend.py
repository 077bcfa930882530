"""The backend that Keras computes with."""

from kerasbackup.anykeras import ask

name = ask.its_own(__name__, "name")
versions = ask.its_own(__name__, "versions")
package = ask.its_own(__name__, "package")
