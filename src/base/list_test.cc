#include "base/list.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace weir {
namespace {

struct Node : ListNode {
    explicit Node(int n) : n(n) {}
    int n;
};
std::vector<int> of(List<Node>& list) {
    std::vector<int> all;
    for (Node* at = list.front(); at; at = list.after(at)) all.push_back(at->n);
    return all;
}

TEST(List, KeepsOrderAtBothEnds) {
    List<Node> list;
    Node a(1), b(2), c(3);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    EXPECT_EQ(list.back(), nullptr);
    EXPECT_EQ(list.pop_front(), nullptr);
    list.push_back(b);
    list.push_back(c);
    list.push_front(a);
    EXPECT_EQ(of(list), (std::vector{1, 2, 3}));
    EXPECT_EQ(list.back()->n, 3);
    EXPECT_EQ(list.pop_front()->n, 1);
    EXPECT_FALSE(a.linked());
    EXPECT_EQ(of(list), (std::vector{2, 3}));
}

TEST(List, ANodeLeavesWhenItDiesAndWhenItJoinsAnother) {
    List<Node> list, other;
    Node a(1);
    list.push_back(a);
    {
        Node b(2);
        list.push_back(b);
        EXPECT_EQ(of(list), (std::vector{1, 2}));
    }
    EXPECT_EQ(of(list), (std::vector{1}));
    other.push_back(a);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(of(other), (std::vector{1}));
    a.unlink();
    a.unlink();
    EXPECT_TRUE(other.empty());
}

TEST(List, PushingAMemberAgainMovesIt) {
    List<Node> list;
    Node a(1), b(2);
    list.push_back(a);
    list.push_back(b);
    list.push_back(a);
    EXPECT_EQ(of(list), (std::vector{2, 1}));
}

TEST(List, SpliceTakesAllInOrder) {
    List<Node> to, from;
    Node a(1), b(2), c(3);
    to.push_back(a);
    from.push_back(b);
    from.push_back(c);
    to.splice(from);
    EXPECT_EQ(of(to), (std::vector{1, 2, 3}));
    EXPECT_TRUE(from.empty());
    to.splice(from);
    EXPECT_EQ(of(to), (std::vector{1, 2, 3}));
}

TEST(List, NodesOutliveTheirList) {
    Node a(1), b(2);
    {
        List<Node> list;
        list.push_back(a);
        list.push_back(b);
    }
    EXPECT_FALSE(a.linked());
    EXPECT_FALSE(b.linked());
}

}  // namespace
}  // namespace weir
