import java.io.*;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Server {
    static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    public static void main(String[] a) throws Exception {
        ServerSocket s = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        ExecutorService pool = Executors.newFixedThreadPool(8);
        Thread acceptor = new Thread(() -> {
            try {
                while (true) {
                    Socket c = s.accept();
                    pool.submit(() -> {
                        try (c; BufferedReader in = new BufferedReader(new InputStreamReader(c.getInputStream())); PrintWriter out = new PrintWriter(c.getOutputStream(), true)) {
                            for (String line; (line = in.readLine()) != null;)
                                out.println(fib(Integer.parseInt(line)));
                        }
                        return null;
                    });
                }
            } catch (IOException e) { }
        });
        acceptor.setDaemon(true);
        acceptor.start();
        AtomicInteger ok = new AtomicInteger();
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Thread t = i % 2 == 0 ? new Thread(() -> client(s.getLocalPort(), ok)) : Thread.ofVirtual().unstarted(() -> client(s.getLocalPort(), ok));
            clients.add(t);
            t.start();
        }
        byte[][] garbage = new byte[64][];
        for (int i = 0; i < 20000; i++) garbage[i % 64] = new byte[20000];
        for (Thread t : clients) t.join();
        s.close();
        pool.shutdownNow();
        System.out.println("done " + ok.get());
        try { Object o = null; o.hashCode(); } catch (NullPointerException e) { System.out.println("npe"); }
        try { recurse(0); } catch (StackOverflowError e) { System.out.println("soe"); }
    }
    static int recurse(int n) { return recurse(n + 1) + 1; }
    static void client(int port, AtomicInteger ok) {
        try (Socket c = new Socket(InetAddress.getLoopbackAddress(), port); BufferedReader in = new BufferedReader(new InputStreamReader(c.getInputStream())); PrintWriter out = new PrintWriter(c.getOutputStream(), true)) {
            for (int i = 10; i < 20; i++) {
                out.println(i);
                if (Integer.parseInt(in.readLine()) == fib(i)) ok.incrementAndGet();
            }
        } catch (Exception e) { e.printStackTrace(); }
    }
}
