"""What tests of allowsync and of third-party backends build on. Import the module you need."""

import sys

# A failed assertion of the contracts tells what differs. Outside pytest there is nothing to do.
if (pytest := sys.modules.get("pytest")) is not None:
    pytest.register_assert_rewrite("allowsync.testing.contract", "allowsync.testing.type_contract")
