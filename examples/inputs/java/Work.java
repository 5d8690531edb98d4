import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** A pool of threads, atomics, a concurrent map, monitors, and a loop that is worth compiling. */
public class Work {
    private static long races;

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(3);
        AtomicLong sum = new AtomicLong();
        Map<Integer, String> who = new ConcurrentSkipListMap<>();
        Object monitor = new Object();
        long[] guarded = new long[1];
        for (int i = 0; i < 200; i++) {
            int number = i;
            pool.submit(() -> {
                for (int round = 0; round < 20_000; round++) {
                    races++;
                    sum.addAndGet(round % 7);
                }
                synchronized (monitor) {
                    guarded[0]++;
                    monitor.notifyAll();
                }
                who.put(number, Thread.currentThread().getName());
            });
        }
        synchronized (monitor) {
            while (guarded[0] < 200) {
                monitor.wait();
            }
        }
        pool.shutdown();
        pool.awaitTermination(60, TimeUnit.SECONDS);
        System.gc();
        System.out.println(sum + " " + races + " " + who + " " + System.nanoTime() + " " + Math.random());
    }
}
