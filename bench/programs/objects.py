"""Classes, generators, closures and exceptions: an event simulation and an expression evaluator."""
import heapq
import operator


class Task:
    __slots__ = ("name", "left", "log")

    def __init__(self, name, left):
        self.name, self.left, self.log = name, left, 0

    def run(self, now):
        while self.left:
            self.left -= 1
            self.log = (self.log * 31 + now) % 1000003
            now = yield (self.name * 7 + self.left) % 13 + 1


def simulate(tasks, rounds):
    heap = [(0, t.name, t, t.run(0)) for t in (Task(i, rounds) for i in range(tasks))]
    result = 0
    while heap:
        now, name, task, generator = heapq.heappop(heap)
        try:
            delay = generator.send(now if task.left != rounds else None)
        except StopIteration:
            result ^= task.log
        else:
            heapq.heappush(heap, (now + delay, name, task, generator))
    return result


def compiled(tree):
    if isinstance(tree, int):
        return lambda x: tree
    if tree == "x":
        return lambda x: x
    f, a, b = tree[0], compiled(tree[1]), compiled(tree[2])
    return lambda x: f(a(x), b(x))


tree = "x"
for i in range(12):
    tree = ((operator.add, operator.xor, operator.mul)[i % 3], (operator.and_, tree, 0xFFFFF), i + 3)
function = compiled(tree)
print(simulate(200, 1200), sum(function(i) for i in range(60000)) % 1000000007)
