"""`python -m tests.payloads.rewrite`: write every golden file anew from what the code says now.

Read the difference before committing it.
"""

from tests.payloads import checkout_cases, reports_golden, rewrite_orders

if __name__ == "__main__":
    checkout_cases.rewrite()
    rewrite_orders.rewrite()
    reports_golden.rewrite()
