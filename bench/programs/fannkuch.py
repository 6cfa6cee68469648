"""Integers and lists: the largest number of flips of all permutations of nine, and a checksum."""


def fannkuch(n):
    checksum = largest = 0
    permutation, count, r, sign = list(range(n)), [0] * n, n, 1
    while True:
        while r != 1:
            count[r - 1] = r
            r -= 1
        if permutation[0]:
            flips, p = 0, permutation[:]
            while p[0]:
                k = p[0] + 1
                p[:k] = p[k - 1::-1]
                flips += 1
            largest = max(largest, flips)
            checksum += sign * flips
        sign = -sign
        while True:
            if r == n:
                return checksum, largest
            permutation.insert(r, permutation.pop(0))
            count[r] -= 1
            if count[r] > 0:
                break
            r += 1


print(fannkuch(8), fannkuch(9))
