use std::collections::HashMap;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn main() {
    let (tx, rx) = mpsc::channel();
    let sums = Arc::new(Mutex::new(HashMap::new()));
    let workers: Vec<_> = (0..8)
        .map(|i| {
            let (tx, sums) = (tx.clone(), sums.clone());
            thread::spawn(move || {
                for j in 0..1000u64 {
                    *sums.lock().unwrap().entry(j % 10).or_insert(0u64) += dep::twice(j * i);
                }
                tx.send(i).unwrap();
            })
        })
        .collect();
    drop(tx);
    let ids: u64 = rx.iter().sum();
    for w in workers {
        w.join().unwrap();
    }
    println!("{} {}", ids, sums.lock().unwrap().values().sum::<u64>());
    std::panic::set_hook(Box::new(|_| {}));
    println!("{}", std::panic::catch_unwind(|| [0u8; 4][ids as usize]).is_err());
}

#[test]
fn works() {
    assert_eq!(dep::twice(2), 4);
}
