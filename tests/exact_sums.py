"""What each user must have paid for a file of usage, by its own arithmetic: no code of Drip's, decimals only.

usage: exact_sums.py FILE USERS GRANT COLUMN=PRICE...

Row i of the file belongs to user-<i mod USERS>, who begins with GRANT. A row costs the sum of quantity * price. What
is left over below a millionth stays with the user for the next row. A row that costs nothing, or more than the user
has, is not charged. Prints JSON: what each user paid, the exact sum of all rows rounded down, and the numbers of the
rows that were not charged, counted from 1.
"""

import csv
import json
import sys
from decimal import ROUND_DOWN, Decimal, getcontext

getcontext().prec = 60


def whole(amount):
    return amount.quantize(Decimal("0.000001"), rounding=ROUND_DOWN)


def main(file, users, grant, *prices):
    users, grant = int(users), Decimal(grant)
    prices = {column: Decimal(price) for column, price in (text.split("=") for text in prices)}
    # What a user paid is the exact total so far, rounded down: so the total is all there is to remember.
    total, exact, declined = {}, {}, []
    with open(file, newline="", encoding="utf-8-sig") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            user = f"user-{number % users}"
            cost = sum(Decimal(row[column]) * price for column, price in prices.items())
            before = total.setdefault(user, Decimal(0))
            exact[user] = exact.get(user, Decimal(0)) + cost
            left = grant - whole(before)
            due = whole(before + cost) - whole(before)
            if cost > 0 and due <= left and left > 0:
                total[user] = before + cost
            else:
                declined.append(number + 1)
    show = lambda amounts: {user: format(whole(amount), "f") for user, amount in amounts.items()}
    json.dump({"paid": show(total), "exact": show(exact), "declined": declined}, sys.stdout)


main(*sys.argv[1:])
