// Intrusive doubly linked list. A node unlinks itself when destroyed, so nobody holds a pointer to a dead waiter.
#pragma once

namespace weir {

struct ListNode {
    ListNode *prev = nullptr, *next = nullptr;
    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;
    ~ListNode() { unlink(); }
    bool linked() const { return next != nullptr; }
    void unlink() {
        if (!next) return;
        prev->next = next;
        next->prev = prev;
        prev = next = nullptr;
    }
};

template <class T>   // T derives from ListNode
class List {
public:
    List() { head_.prev = head_.next = &head_; }
    ~List() {
        while (!empty()) head_.next->unlink();
        head_.prev = head_.next = nullptr;
    }
    bool empty() const { return head_.next == &head_; }
    T* front() { return empty() ? nullptr : static_cast<T*>(head_.next); }
    T* back() { return empty() ? nullptr : static_cast<T*>(head_.prev); }
    T* after(T* node) { return node->next == &head_ ? nullptr : static_cast<T*>(node->next); }
    void push_back(T& node) { insert(node, head_.prev, &head_); }
    void push_front(T& node) { insert(node, &head_, head_.next); }
    T* pop_front() {
        T* node = front();
        if (node) node->unlink();
        return node;
    }
    // Moves all nodes of `other` to our end, in order.
    void splice(List& other) {
        while (T* node = other.pop_front()) push_back(*node);
    }

private:
    static void insert(T& node, ListNode* before, ListNode* after) {
        node.unlink();
        ListNode& n = node;
        n.prev = before;
        n.next = after;
        before->next = &n;
        after->prev = &n;
    }
    ListNode head_;
};

}  // namespace weir
