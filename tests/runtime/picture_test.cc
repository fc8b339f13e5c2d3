// The pictures of prairie-map.
#include "runtime/command/picture.h"

#include <gtest/gtest.h>

namespace prairie {
namespace {

TEST(PictureTest, Shares) {
  EXPECT_TRUE(SharesOf({}, 10).empty());
  EXPECT_EQ(SharesOf({true, false}, 10), (std::vector<double>{1, 0})) << "no more cells than pages";
  EXPECT_EQ(SharesOf({true, true, false, true}, 2), (std::vector<double>{1, 0.5}));
  EXPECT_EQ(SharesOf(std::vector<bool>(1000, true), 7), std::vector<double>(7, 1.0));
  std::vector<bool> last(1000);
  last[999] = true;
  const std::vector<double> shares = SharesOf(last, 3);
  EXPECT_EQ(shares[0] + shares[1], 0);
  EXPECT_GT(shares[2], 0);
}

TEST(PictureTest, Bar) { EXPECT_EQ(BarOf({0, 0.01, 0.34, 0.67, 0.99, 1}), " .:++#"); }

TEST(PictureTest, Svg) {
  const std::string svg = SvgOf({true, false}, "a <b> & \n");
  EXPECT_NE(svg.find("a &lt;b&gt; &amp; ?"), std::string::npos);
  EXPECT_NE(svg.find("rgb(35,120,35)"), std::string::npos);
  EXPECT_NE(svg.find("rgb(225,225,225)"), std::string::npos);
}

}  // namespace
}  // namespace prairie
