# What configure scripts do: short programs in great number.
i=0
while [ $i -lt $1 ]; do
    x=$(expr $i + 1)
    echo "line $x" | sed 's/line/row/' | grep -c row >/dev/null
    test -f /src/big.c && basename /usr/lib/$x >/dev/null
    i=$x
done
echo $i
