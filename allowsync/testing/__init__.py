"""Building blocks for tests of allowsync and of third-party backends, imported one by one."""

import sys

# Failed assertions of the contracts show their values. Only pytest needs that.
if (pytest := sys.modules.get("pytest")) is not None:
    _CONTRACTS = ("contract", "fault_contract", "type_contract")
    pytest.register_assert_rewrite(*(f"allowsync.testing.{one}" for one in _CONTRACTS))
