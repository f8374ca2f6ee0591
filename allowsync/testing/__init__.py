"""What tests of allowsync and of third-party backends build on. Import the module you need."""

import sys

# A failed assertion of the contracts tells what differs. Outside pytest there is nothing to do.
if (pytest := sys.modules.get("pytest")) is not None:
    _CONTRACTS = ("contract", "fault_contract", "type_contract")
    pytest.register_assert_rewrite(*(f"allowsync.testing.{one}" for one in _CONTRACTS))
