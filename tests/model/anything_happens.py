"""What names, the configuration and the machine do to one installation together."""

from __future__ import annotations

from tests.model.configuration_changes import ConfigurationChanges
from tests.model.machine_fails import MachineFails
from tests.model.names_change import NamesChange


class AnythingHappens(NamesChange, ConfigurationChanges, MachineFails):
    """All of that, in any order: promises broke where parts meet."""
